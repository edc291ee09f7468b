// Sort, filter and copy the tables; the address holds the view. Without this file, all is shown.
const root = document.documentElement;
root.classList.add("js");
const all = (where, within = document) => Array.from(within.querySelectorAll(where));
const controls = all("input[name], select[name]");
const form = document.querySelector(".filters");
const boards = all(".board").map((section) => {
  const table = section.querySelector("table");
  const heads = Array.from(table.tHead.rows[0].cells);
  const groups = Array.from(table.tBodies).map((body) => ({ body, rows: Array.from(body.rows).slice(1) }));
  const style = document.head.appendChild(document.createElement("style"));
  return { section, table, heads, groups, style, choice: section.querySelector(".chosen"), sort: null,
    shown: heads.map(() => true) };
});
const textOf = (node) => (node ? node.textContent.trim().replace(/\s+/g, " ") : "");
const headText = (head) => textOf(head.querySelector("button") ?? head);
const methodOf = (row) => textOf(row.querySelector("summary"));
const numberOf = (cell) => (cell && cell.dataset.v ? Number(cell.dataset.v) : NaN);
const value = (name) => {
  const control = form.elements[name];
  return control ? (control.type === "checkbox" ? control.checked : control.value) : "";
};

// Blanks (unknown) stay last in either direction.
function compare(column, sign) {
  if (column === 0) return (a, b) => sign * methodOf(a).localeCompare(methodOf(b));
  return (a, b) => {
    const [x, y] = [numberOf(a.cells[column]), numberOf(b.cells[column])];
    return Number.isNaN(x) - Number.isNaN(y) || (Number.isNaN(x) ? 0 : sign * (x - y));
  };
}

function arrange(board) {
  const flat = value("flat") && board.table.classList.contains("by-backbone");
  const order = (rows) => {
    if (!board.sort) return rows;
    const column = board.heads.findIndex((head) => head.dataset.key === board.sort.key);
    return rows.slice().sort(compare(column, board.sort.sign));
  };
  const place = (body, rows) => rows.forEach((row) => {
    body.append(row);
    if (row.unfolded?.isConnected) body.append(row.unfolded);
  });
  if (flat) place(board.groups[0].body, order(board.groups.flatMap((group) => group.rows)));
  else board.groups.forEach((group) => place(group.body, order(group.rows)));
  for (const head of board.heads) {
    if (board.sort && head.dataset.key === board.sort.key)
      head.setAttribute("aria-sort", board.sort.sign > 0 ? "ascending" : "descending");
    else head.removeAttribute("aria-sort");
  }
  board.groups.forEach(({ body }) => { body.rows[0].hidden = flat; });
}

function filter(board) {
  const [task, data, plain] = [value("task"), value("data"), value("plain")];
  board.shown = board.heads.map(({ dataset }) =>
    (!task || !dataset.task || dataset.task === task) && (!data || !dataset.data || dataset.data === data));
  const results = board.heads.map((head, place) => place)
    .filter((place) => board.shown[place] && board.heads[place].dataset.task);
  let any = false;
  for (const { body, rows } of board.groups) {
    const wrong = data && body.dataset.data && body.dataset.data !== data;
    let some = false;
    for (const row of rows) {
      const { backbone, from } = row.dataset;
      const counts = (cell) => cell.dataset.v && !(plain && cell.classList.contains("deviates"));
      const shown = !wrong && methodOf(row).toLowerCase().includes(value("method").toLowerCase())
        && (!value("backbone") || backbone === value("backbone")) && (!value("from") || from === value("from"))
        && !(plain && "deviates" in row.dataset) && results.some((place) => counts(row.cells[place]));
      row.hidden = !shown;
      if (row.unfolded) row.unfolded.hidden = !shown;
      some ||= shown;
    }
    body.hidden = !some && !value("flat");
    any ||= some;
  }
  board.section.hidden = !any;
  const table = `#${board.section.id} table`;
  const hide = board.shown.map((shown, place) => (shown ? "" : `${table} tr > :nth-child(${place + 1})`))
    .filter(Boolean);
  let chosen = board.heads.findIndex((head) => head.dataset.key === board.choice.value) + 1;
  if (chosen > 1 && !board.shown[chosen - 1]) chosen = results[0] + 1; // of another task than the filter's
  board.style.textContent = (hide.length ? `${hide.join()} { display: none; }` : "")
    + `@media (max-width: 44rem) { ${table} tr:not(.unfolded) > :nth-child(n+2):not(:nth-child(${chosen}))`
    + ` { display: none; } ${table} tr > :nth-child(${chosen}).other { display: table-cell !important; } }`;
}

function show() {
  root.classList.toggle("flat", value("flat"));
  root.classList.toggle("plain", value("plain"));
  for (const board of boards) {
    arrange(board);
    filter(board);
  }
}

function write() {
  const view = new URLSearchParams();
  for (const control of controls) {
    const on = control.type === "checkbox" || control.type === "radio";
    if (on ? control.checked && !control.defaultChecked : control.value)
      view.set(control.name, on && control.type === "checkbox" ? "on" : control.value);
  }
  for (const { section, sort, choice } of boards) {
    if (sort) view.set(`sort-${section.id}`, `${sort.sign > 0 ? "" : "-"}${sort.key}`);
    if (choice.selectedIndex > 0) view.set(`show-${section.id}`, choice.value);
  }
  history.replaceState(null, "", view.toString() ? `#${view}` : location.pathname + location.search);
}

function read() {
  if (location.hash && !location.hash.includes("=")) return show(); // a link within the page
  const view = new URLSearchParams(location.hash.slice(1));
  for (const control of controls) {
    const given = view.get(control.name);
    if (control.type === "checkbox") control.checked = given !== null;
    else if (control.type === "radio") control.checked = given === null ? control.defaultChecked : given === control.value;
    else control.value = given ?? "";
    if (control.tagName === "SELECT" && control.selectedIndex < 0) control.value = "";
  }
  const radios = controls.filter((control) => control.type === "radio");
  if (!radios.some((control) => control.checked)) // of a chart that is no longer there
    radios.forEach((control) => { control.checked = control.defaultChecked; });
  for (const board of boards) {
    const sort = view.get(`sort-${board.section.id}`);
    board.sort = sort && { key: sort.replace(/^-/, ""), sign: sort.startsWith("-") ? -1 : 1 };
    if (!board.heads.some((head) => head.dataset.key === board.sort?.key)) board.sort = null;
    board.choice.value = view.get(`show-${board.section.id}`) ?? board.choice.options[0]?.value;
    if (board.choice.selectedIndex < 0) board.choice.selectedIndex = 0;
  }
  show();
}

// The shown view as rows of cells: { text, best, marks, low, high }.
function view(board) {
  const columns = board.heads.map((head, place) => place)
    .filter((place) => place > 0 && getComputedStyle(board.heads[place]).display !== "none");
  const rows = Array.from(board.table.tBodies).filter((body) => !body.hidden)
    .flatMap((body) => Array.from(body.rows))
    .filter((row) => row.dataset.backbone && !row.hidden);
  return {
    heads: columns.map((place) => headText(board.heads[place])),
    rows: rows.map((row) => ({
      names: [methodOf(row), row.dataset.backbone, textOf(row.querySelector("th > small")).slice(row.dataset.backbone.length)],
      cells: columns.map((place) => {
        const cell = row.cells[place];
        const mean = textOf(cell.querySelector("b"));
        if (!mean || getComputedStyle(cell).visibility === "hidden") return { mean: "" };
        const [low, high] = textOf(cell.querySelector(".interval")).split(" to ");
        const marks = [["top", "★"], ["near", "≈"], ["deviates", "†"], ["seen", "‡"], ["precision", "§"]]
          .filter(([name]) => cell.classList.contains(name)).map(([, sign]) => sign).join("");
        return { mean, marks, low, high, best: cell.classList.contains("best"), number: cell.dataset.v,
          spread: textOf(cell.querySelector(":scope > span")), gain: textOf(cell.querySelector(".gain")) };
      }),
    })),
  };
}

const NAMES = ["method", "backbone", "pretraining"];
const forms = {
  markdown({ heads, rows }) {
    const safe = (text) => text.replace(/[\\|*_`<>[\]]/g, "\\$&");
    const line = (cells) => `| ${cells.join(" | ")} |`;
    const show = ({ mean, best, spread = "", marks = "", gain }) => mean && [best ? `**${mean}**` : mean,
      spread, marks, gain ? `(${gain})` : ""].filter(Boolean).join(" ");
    return [line([...NAMES, ...heads].map(safe)), line([...NAMES.map(() => "---"), ...heads.map(() => "---:")]),
      ...rows.map(({ names, cells }) => line([...names.map(safe), ...cells.map(show)]))].join("\n");
  },
  latex({ heads, rows }) {
    const signs = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}",
      "<": "\\textless{}", ">": "\\textgreater{}", "|": "\\textbar{}", "±": "$\\pm$", "★": "$^\\star$", "≈": "$^\\approx$", "†": "$^\\dagger$", "‡": "$^\\ddagger$", "§": "$^\\S$",
      "−": "$-$", "×": "$\\times$" };
    const raised = { "ᵇᵒˣ": "box", "ᵐᵃˢᵏ": "mask" };
    const safe = (text) => text.replace(/ᵇᵒˣ|ᵐᵃˢᵏ|[\\~^<>|±★≈†‡§−×]|[&%$#_{}]/g,
      (sign) => (raised[sign] ? `\\textsuperscript{${raised[sign]}}` : signs[sign] ?? `\\${sign}`));
    const show = ({ mean, best, spread = "", marks = "", gain }) => mean && [
      `${best ? `\\textbf{${mean}}` : mean}${safe(marks)}`, safe(spread), gain ? `(${safe(gain)})` : "",
    ].filter(Boolean).join(" ");
    const line = (cells) => `${cells.join(" & ")} \\\\`;
    return [`\\begin{tabular}{lll${"r".repeat(heads.length)}}`, "\\toprule", line([...NAMES, ...heads].map(safe)),
      "\\midrule", ...rows.map(({ names, cells }) => line([...names.map(safe), ...cells.map(show)])),
      "\\bottomrule", "\\end{tabular}"].join("\n");
  },
  csv({ heads, rows }) {
    const safe = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const line = (cells) => cells.map((text) => safe(text ?? "")).join(",");
    return [line([...NAMES, ...heads.flatMap((head) => ["", ", marks", ", spread and seeds", ", low", ", high", ", gain"].map((end) => head + end))]),
      ...rows.map(({ names, cells }) => line([...names,
        ...cells.flatMap(({ number, marks, spread, low, high, gain }) => [number, marks, spread, low, high, gain])]))].join("\n");
  },
};

async function copy(board, button) {
  const text = `${forms[button.dataset.form](view(board))}\n`;
  const said = board.section.querySelector(".said");
  try {
    await navigator.clipboard.writeText(text);
    said.textContent = "copied";
  } catch { // no permission: show the text, selected
    const area = document.createElement("textarea");
    area.setAttribute("aria-label", "the view, to be copied");
    area.value = text;
    said.replaceChildren(area);
    area.select();
  }
}

for (const board of boards) {
  for (const head of board.heads) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const first = head.dataset.rising || head.dataset.key === "method" ? 1 : -1;
      const { key, sign } = board.sort ?? {};
      board.sort = { key: head.dataset.key, sign: key === head.dataset.key ? -sign : first };
      arrange(board);
      write();
    });
    if (head.dataset.key !== "method") board.choice.add(new Option(headText(head), head.dataset.key));
  }
  board.choice.addEventListener("change", () => { filter(board); write(); });
  all("[data-form]", board.section).forEach((button) => button.addEventListener("click", () => copy(board, button)));
  // Show details below their row, over the whole width.
  board.table.addEventListener("toggle", ({ target }) => {
    const row = target.closest("tr");
    if (!row.unfolded) {
      row.unfolded = document.createElement("tr");
      row.unfolded.className = "unfolded";
      const cell = row.unfolded.insertCell();
      cell.colSpan = row.cells.length;
      cell.append(target.querySelector(".more"));
    }
    if (target.open) row.after(row.unfolded);
    else row.unfolded.remove();
  }, true);
}
for (const { choice } of boards) choice.closest("label").hidden = choice.options.length < 2;
document.querySelector(".view").open = !matchMedia("(max-width: 44rem)").matches;
all(".filters, .pick").forEach((part) => part.addEventListener("input", () => { show(); write(); }));
form.addEventListener("submit", (event) => event.preventDefault());
addEventListener("hashchange", read);
read();
