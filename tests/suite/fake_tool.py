"""Replaces every tool of a suite: logs the call, counts steps, supports --resume and SIGTERM."""

import argparse
import hashlib
import json
import os
import re
import signal
import sys
import time
from pathlib import Path


def note(text):
    with Path("calls.txt").open("a", encoding="utf-8") as stream:
        stream.write(text + "\n")


def stage_of(folder):
    """Id of the stage whose folder it is."""
    parts = folder.parts
    kinds = ("pretrain", "export", "tune", "finetune")
    kind = next(part for part in reversed(parts) if part in kinds)
    return "/".join(parts[parts.index(kind) :])


def setting(text, name, default):
    found = re.search(rf"^{name} = (.+)$", text, re.MULTILINE)
    return float(found.group(1)) if found else default


def write_manifest(folder, output):
    sha = hashlib.sha256(output.read_bytes()).hexdigest()
    outputs = {"file": {"path": output.name, "sha256": sha}}
    manifest = {"status": "complete", "outputs": outputs, "finished": time.time()}
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")


def write_trial(folder, args):
    """The manifest of a trial; its score is 100 times its learning rate, one above 1 diverges."""
    options = dict(item.split("=") for item in args.cfg_options)
    score = 100 * float(options["optim_wrapper.optimizer.lr"])
    time = "2025-01-31T12:00:00+00:00"
    failure = {"reason": "the loss is nan", "iteration": 3} if score > 100 else None
    manifest = {
        "schema_version": 6,
        "stage": "trial",
        "status": "failed" if failure else "complete",
        "failure": failure,
        "kind": args.kind,
        "method": "scratch",
        "backbone": "net",
        "seed": int(args.seed),
        "config": {"path": str(args.config), "sha256": "0" * 64, "overrides": args.cfg_options},
        "protocol": {
            "id": "toy",
            "version": 1,
            "task": "classification",
            "dataset": "toy",
            "split": "val",
            "image_size": 64,
            "epochs": 1,
            "metrics": {"top1": "accuracy/top1"},
            "primary": "top1",
        },
        "metrics": {} if failure else {"top1": score},
        "held_out": {
            "share": args.held_out,
            "seed": args.held_out_seed,
            "images": 2,
            "training_images": 6,
        },
        "cost": {
            "device": "CPU",
            "device_count": 1,
            "wall_seconds": 36.0,
            "peak_memory_mb": 1.0,
        },
        "curves": {"top1": {"against": "epoch", "points": [[1, 1.0]]}},
        "environment": {"python": "3", "platform": "Linux"},
        "started": time,
        "finished": time,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")


def chosen_of(args):
    return f" with {json.loads(args.tuned.read_text('utf-8'))['chosen']}" if args.tuned else ""


def train(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("--work-dir", type=Path)
    parser.add_argument("--seed")
    parser.add_argument("--kind")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--from-scratch", action="store_true")
    parser.add_argument("--pretrained", type=Path)
    parser.add_argument("--data")
    parser.add_argument("--init", type=Path)
    parser.add_argument("--init-name")
    parser.add_argument("--cfg-options", nargs="+", default=[])
    parser.add_argument("--launcher", default="none")
    parser.add_argument("--held-out", type=float)
    parser.add_argument("--held-out-seed", type=int)
    parser.add_argument("--tuned", type=Path)
    args = parser.parse_args(arguments)
    args.work_dir.mkdir(parents=True, exist_ok=True)
    text = args.config.read_text("utf-8")
    steps = int(setting(text, "steps", 1))
    backbone = args.pretrained.read_text("utf-8") if args.pretrained else ""
    checkpoint = args.work_dir / "last.pth"
    done = 0
    if args.resume and checkpoint.exists():
        done = int(checkpoint.read_text("utf-8").split()[0])
    name = stage_of(args.work_dir)
    rank = os.environ.get("SLURM_PROCID" if args.launcher == "slurm" else "RANK", "0")
    if rank != "0":
        note(f"{name} rank {rank}")
        return
    note(f"{name} from {done}{chosen_of(args)}")
    stopped = []
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, lambda *_: stopped.append(True))
    if setting(text, "memory", 0) and not (args.work_dir / "batch.json").exists():
        (args.work_dir / "batch.json").write_text("{}", "utf-8")
        leave(args.work_dir, "out of memory", done)
    if setting(text, "crash", 0):
        sys.stdout.write("Traceback (most recent call last):\nValueError: loss is NaN at 3\n")
        sys.exit(1)
    for step in range(done + 1, steps + 1):
        time.sleep(setting(text, "seconds", 0))
        if stopped:
            leave(args.work_dir, "preempted", step - 1)
        sha = hashlib.sha256(f"{text}{args.seed}{backbone}".encode()).hexdigest()
        checkpoint.with_suffix(".part").write_text(f"{step} {sha}", "utf-8")
        checkpoint.with_suffix(".part").replace(checkpoint)
        progress = {"done": step, "total": steps, "eta_seconds": 1.0, "metric": {"loss": 0.5}}
        (args.work_dir / "progress.json").write_text(json.dumps(progress), "utf-8")
    if args.held_out:
        write_trial(args.work_dir, args)
    else:
        write_manifest(args.work_dir, checkpoint)


def leave(work_dir, reason, iteration):
    """As simmim_bench/stop.py."""
    stop = {"reason": reason, "message": f"fake: {reason}", "iteration": iteration}
    (work_dir / "stop.json").write_text(json.dumps(stop), "utf-8")
    sys.exit(75)


def export(source, _, target):
    note(stage_of(Path(target)))
    Path(target).mkdir(parents=True, exist_ok=True)
    backbone = Path(target) / "backbone.pth"
    backbone.write_text((Path(source) / "last.pth").read_text("utf-8"), "utf-8")
    write_manifest(Path(target), backbone)


def convert(given, target, *_):
    note(f"convert {given}")
    Path(target).mkdir(parents=True)
    content = Path(given).read_text("utf-8") if Path(given).is_file() else given
    (Path(target) / "backbone.pth").write_text(content, "utf-8")
    sha = hashlib.sha256(content.encode()).hexdigest()
    (Path(target) / "backbone.json").write_text(json.dumps({"sha256": sha}), "utf-8")


def main():
    tool, arguments = sys.argv[1], sys.argv[2:]
    while "--import" in arguments:
        place = arguments.index("--import")
        note(f"{tool} imports {arguments[place + 1]}")
        del arguments[place : place + 2]
    if tool == "train":
        train(arguments)
    elif tool == "export":
        export(*arguments)
    elif tool == "convert":
        convert(*arguments)
    elif tool == "data":
        note("data")
        Path("data/demo").mkdir(parents=True, exist_ok=True)
        Path("data/demo/dataset.json").write_text('{"version": 1}', "utf-8")
    else:
        note("leaderboard")
        manifests = sorted(Path(arguments[-1]).glob("finetune/**/manifest.json"))
        table = Path(arguments[-1]) / "results" / "leaderboard" / "README.md"
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_text(f"cells: {len(manifests)}\n", "utf-8")
        for manifest in manifests:
            name = stage_of(manifest.parent)
            record = {"stage": name, "weights": (manifest.parent / "last.pth").read_text("utf-8")}
            path = table.parents[1] / "fake_records" / f"{name.replace('/', '.')}.json"
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps({**record, "date": time.time()}), "utf-8")


if __name__ == "__main__":
    main()
