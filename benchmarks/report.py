#!/usr/bin/env python3
"""Makes the tables of docs/performance.md and the pictures of the README out of bench.py's results.

usage: report.py RESULTS.json DOCS-FOLDER
"""
import json
import sys
from pathlib import Path

BEGIN, END = "<!-- tables: make bench -->", "<!-- end of tables -->"
STYLE = """<style>
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 15px } .small { font-size: 12px; fill: #59636e }
  .bar, .dot { fill: #59636e } .ours { fill: #0969da } .line { stroke: #0969da; fill: none; stroke-width: 2 }
  .axis { stroke: #d1d9e0 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .small { fill: #9198a1 } .bar, .dot { fill: #9198a1 } .ours { fill: #4493f8 }
    .line { stroke: #4493f8 } .axis { stroke: #3d444d }
  }
</style>"""


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def verdict(is_met):
    return "met" if is_met else "**not met**"


def drain_tables(results):
    blocks = []
    for connections, contenders in results["drain"].items():
        ours = contenders["outboxd"]["rate"]
        rows = [
            [name, f"{values['rate']:.0f}", f"{ours / values['rate']:.2f}", ", ".join(map(str, values["rates"]))]
            for name, values in contenders.items()
        ]
        targets = {"bare loop": 0.85, "Postfix": 5, "django-post_office": 10}
        judged = [
            f"at least {target} × {name}: {verdict(ours / contenders[name]['rate'] >= target)}"
            for name, target in targets.items() if name in contenders
        ]
        blocks.append(
            f"### Drain, {connections} connections\n\nMessages a second; {'; '.join(judged)}.\n\n"
            + table(["", "median", "outboxd ÷ it", "runs"], rows)
        )
    first = next(iter(results["drain"].values()))
    rows = [
        [name, f"{values['user_us']:.0f}", f"{values['system_us']:.0f}"]
        + ([f"{results['cost'][name]:,.0f}"] if "cost" in results else [])
        for name, values in first.items() if "user_us" in values
    ]
    if rows:
        header = ["", "user, µs", "system, µs"] + (["instructions in user space"] if "cost" in results else [])
        blocks.append("### Cost of a message\n\n" + table(header, rows))
    return blocks


def other_tables(results):
    blocks = []
    if "distance" in results:
        rows = [
            [
                f"{values['command_ms']} and {values['final_ms']} ms", values["connections"], f"{values['rate']:.1f}",
                f"{values['ideal']:.1f}", f"{values['ratio']:.2f}", f"{values['bare_rate']:.1f}", f"{values['to_bare']:.2f}",
                verdict(values["to_bare"] >= (1.9 if values["command_ms"] == values["final_ms"] else 1.3)),
            ]
            for values in results["distance"]
        ]
        blocks.append(
            "### A relay at a distance: the delays of a reply and of the final dot\n\n"
            + table(
                [
                    "delays", "connections", "messages/s", "ideal", "ratio", "libcurl's own conversation", "ratio",
                    "at least 1.9 and 1.3",
                ],
                rows,
            )
        )
    if "latency" in results:
        values = results["latency"]
        blocks.append(
            "### Latency of one message into an idle daemon, ms\n\n"
            + table(
                ["", "ms", "target"],
                [
                    ["median from commit to the relay's 250", f"{values['median_ms']:.1f}", ""],
                    ["of that, the conversation on the open connection", f"{values['conversation_ms']:.1f}", ""],
                    ["median over the conversation", f"{values['over_ms']:.1f}", f"at most 10: {verdict(values['over_ms'] <= 10)}"],
                    ["p99", f"{values['p99_ms']:.1f}", f"at most 50: {verdict(values['p99_ms'] <= 50)}"],
                    ["max", f"{values['max_ms']:.1f}", ""],
                ],
            )
        )
    if "idle" in results:
        rows = [
            [
                name, f"{values['cpu_percent']:.2f} %", verdict(values["cpu_percent"] <= 0.3), f"{values['megabytes']:.0f} MB",
                verdict(values["megabytes"] <= 40), f"{values['anonymous_megabytes']:.0f} MB" if "anonymous_megabytes" in values else "",
            ]
            for name, values in results["idle"].items()
        ]
        blocks.append("### Idle\n\n" + table(["", "of one core", "at most 0.3 %", "resident", "at most 40 MB", "without pages of files"], rows))
    if "beside" in results:
        values = results["beside"]
        slow, fast = values["200 a second"], values["as many as possible"]
        blocks.append(
            "### An idle outbox in the file of an application that commits\n\n"
            + table(
                ["the application's commits", "outboxd, of one core", "", "commits/s without outboxd", "with outboxd", "ratio", ""],
                [
                    ["200 a second", f"{slow['cpu_percent']:.1f} %", f"at most 3 %: {verdict(slow['cpu_percent'] <= 3)}", "", "", "", ""],
                    [
                        "as many as possible", f"{fast['cpu_percent']:.1f} %", f"at most 5 %: {verdict(fast['cpu_percent'] <= 5)}",
                        f"{fast['without']:.0f}", f"{fast['with']:.0f}", f"{fast['ratio']:.2f}",
                        f"at least 0.95: {verdict(fast['ratio'] >= 0.95)}",
                    ],
                ],
            )
        )
    if "growth" in results:
        rows = [
            [f"{int(count):,}", f"{values['rate']:.0f}", f"{values['megabytes']:.0f} MB", f"{values['start_ms']:.0f}", f"{values['status_ms']:.0f}"]
            for count, values in results["growth"].items()
        ]
        growth = results["growth"]
        note = ""
        if "1000000" in growth:
            ratio = growth["1000000"]["rate"] / growth["10000"]["rate"]
            note = (
                f"Rate at 1,000,000 ÷ rate at 10,000: {ratio:.2f} (at least 0.9: {verdict(ratio >= 0.9)}); ready in "
                f"{growth['1000000']['start_ms']:.0f} ms (at most 150: {verdict(growth['1000000']['start_ms'] <= 150)}); status in "
                f"{growth['1000000']['status_ms']:.0f} ms (at most 30: {verdict(growth['1000000']['status_ms'] <= 30)}).\n\n"
            )
        blocks.append(
            "### Growth\n\n" + note + table(["open rows", "messages/s", "resident", "ready after ms", "outboxctl status, ms"], rows)
        )
    if "enqueue" in results:
        rows = [
            [name, f"{values['without']:.0f}", f"{values['with']:.0f}", f"{values['ratio']:.2f}", verdict(values["ratio"] >= 0.8)]
            for name, values in results["enqueue"].items()
        ]
        blocks.append(
            "### Inserts of an application, rows a second\n\n"
            + table(["", "outboxd stopped", "outboxd draining", "ratio", "at least 0.8"], rows)
        )
    return blocks


def drain_picture(results):
    connections, contenders = next(iter(results["drain"].items()))
    top = max(values["rate"] for values in contenders.values())
    rows = []
    for index, (name, values) in enumerate(contenders.items()):
        y = 52 + index * 30
        width = max(2, values["rate"] / top * 420)
        kind = "ours" if name == "outboxd" else "bar"
        rows.append(
            f'<text x="150" y="{y + 15}" text-anchor="end">{name}</text>'
            f'<rect class="{kind}" x="160" y="{y}" width="{width:.0f}" height="20" rx="2"/>'
            f'<text x="{166 + width:.0f}" y="{y + 15}">{values["rate"]:,.0f}</text>'
        )
    height = 62 + len(rows) * 30
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 660 {height}" role="img" '
        f'aria-label="Messages a second while draining a queue">{STYLE}'
        f'<text class="title" x="16" y="24">Draining a queue, messages a second</text>'
        f'<text class="small" x="16" y="42">{connections} connections to smtp-sink, {results["machine"]["octets"] / 1000:.0f} KB a mail</text>{"".join(rows)}</svg>\n'
    )


def growth_picture(results):
    points = [(int(count), values["rate"]) for count, values in results["growth"].items()]
    top = max(rate for _, rate in points) * 1.15
    left, right, upper, lower = 70, 620, 60, 230

    def x(index):
        return left + index * (right - left) / max(1, len(points) - 1)

    def y(rate):
        return lower - rate / top * (lower - upper)

    marks = "".join(
        f'<circle class="ours" cx="{x(index):.0f}" cy="{y(rate):.0f}" r="4"/>'
        f'<text x="{x(index):.0f}" y="{y(rate) - 10:.0f}" text-anchor="middle">{rate:,.0f}</text>'
        f'<text class="small" x="{x(index):.0f}" y="{lower + 20}" text-anchor="middle">{count:,}</text>'
        for index, (count, rate) in enumerate(points)
    )
    line = " ".join(f"{x(index):.0f},{y(rate):.0f}" for index, (_, rate) in enumerate(points))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 660 270" role="img" '
        f'aria-label="Messages a second by open rows">{STYLE}'
        f'<text class="title" x="16" y="24">Messages a second, by open rows in the outbox</text>'
        f'<line class="axis" x1="{left}" y1="{lower}" x2="{right}" y2="{lower}"/>'
        f'<polyline class="line" points="{line}"/>{marks}</svg>\n'
    )


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    results = json.loads(Path(sys.argv[1]).read_text())
    docs = Path(sys.argv[2])
    machine = results["machine"]
    intro = (
        f"Measured on {machine['date']}: {machine['processor']}, Linux {machine['kernel']}, "
        f"{' '.join(machine['libcurl'])}, SQLite {machine['sqlite']}, Postfix {' '.join(machine['postfix'])}, "
        f"{' '.join(machine['swift'])}. A mail has {machine['octets']:,} octets, whoever sends it."
    )
    blocks = [intro] + (drain_tables(results) if "drain" in results else []) + other_tables(results)
    page = docs / "performance.md"
    text = page.read_text()
    head, rest = text.split(BEGIN)
    page.write_text(f"{head}{BEGIN}\n\n" + "\n\n".join(blocks) + f"\n\n{END}{rest.split(END)[1]}")
    if "drain" in results:
        (docs / "drain.svg").write_text(drain_picture(results))
    if "growth" in results:
        (docs / "growth.svg").write_text(growth_picture(results))


if __name__ == "__main__":
    main()
