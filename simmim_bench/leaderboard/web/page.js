const source = document.getElementById("library").textContent.trim();
const bytes = Uint8Array.from(atob(source), (char) => char.charCodeAt(0));
const url = URL.createObjectURL(new Blob([bytes], { type: "text/javascript" }));
const { default: DataTable } = await import(url);
URL.revokeObjectURL(url);

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark", dark.matches);
dark.addEventListener("change", follow);
follow();

// Numbers sort in either direction; blanks (unknown) stay last.
const blankLast = (sign) => (a, b) =>
  Number.isNaN(a) - Number.isNaN(b) || (Number.isNaN(a) ? 0 : sign * (a - b));
DataTable.type("known", {
  className: "dt-type-numeric",
  order: { pre: parseFloat, asc: blankLast(1), desc: blankLast(-1) },
});

const many = document.querySelectorAll("#board tbody tr").length > 200;
const table = new DataTable("#board", {
  paging: many,
  pageLength: 100,
  order: [],
  autoWidth: false, // the browser's own widths also fit after columns are hidden
  columnDefs: [
    { targets: 0, visible: false },
    { targets: ["unsorted", -1], orderable: false },
    { targets: "number", type: "known" },
  ],
  language: { search: "Search" },
});

// Hide columns that do not fit; the details show them. On a phone, where lines are cards, all fit.
for (const [columns, width] of [[".roomy", 76], [".cost", 60]]) {
  const roomy = window.matchMedia(`(max-width: 44rem), (min-width: ${width}rem)`);
  const fit = () => table.columns(columns).visible(roomy.matches);
  roomy.addEventListener("change", fit);
  fit();
}
document.documentElement.classList.remove("waiting");

const protocol = document.getElementById("protocol");
const group = document.getElementById("group");
const choose = () => {
  table.column(0).search(group.value, { exact: group.value !== "" });
  table.column(1).search(protocol.value, { exact: protocol.value !== "" });
  table.draw();
};
const order = document.getElementById("order");
order.addEventListener("change", () => {
  const [column, direction] = order.value.split(" ");
  table.order(direction ? [[Number(column), direction]] : []).draw();
});
group.addEventListener("change", choose);
const groups = table.column(0).data().toArray();
const protocols = table.column(1).data().toArray();
protocol.addEventListener("change", () => {
  const both = (name, row) => name === protocol.value && groups[row] === group.value;
  if (protocol.value && !protocols.some(both)) group.value = "";
  choose();
});
choose();

// Show details below their row, over the whole width.
document.getElementById("board").addEventListener("toggle", ({ target }) => {
  const row = table.row(target.closest("tr"));
  if (!row.child()) row.child(target.querySelector(".more"));
  row.child[target.open ? "show" : "hide"]();
}, true);
