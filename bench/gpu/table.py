"""Figures as text."""


def number(value):
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int) or value == 0:
        return str(value)
    return f"{value:.3g}" if abs(value) < 100 or abs(value) >= 1e6 else f"{value:.0f}"


def cells_of(figure):
    """row, figure, value, against, ratio, goal, verdict, note."""
    if "failed" in figure:
        return [figure["row"], figure["name"], "", "", "", "", "FAILED", figure["failed"]]
    unit = f" {figure['unit']}" if figure["unit"] else ""
    cells = [
        figure["row"], figure["name"],
        number(figure["value"]) + unit, "", "", "", "", figure["note"]
    ]
    if "against" in figure:
        cells[3] = f"{number(figure['against'])}{unit} {figure['of']}".strip()
        cells[4] = number(figure["ratio"])
    if "goal" in figure:
        cells[5] = ("<= " if figure["within"] == "max" else ">= ") + number(figure["goal"])
        cells[6] = "reached" if figure["reached"] else "MISSED"
    return cells


def table(figures):
    head = ["row", "figure", "value", "against", "ratio", "goal", "verdict", "note"]
    rows = [head, *map(cells_of, figures)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head) - 1)] + [0]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
                     .rstrip() for row in rows)
