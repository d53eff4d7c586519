"""Building texts: f-strings, `+=`, `join`, `%`, `format`, slices and the methods of `str`."""

from __future__ import annotations


def inputs(size: int) -> list[str]:
    return [f"Item {n}: {'lorem ipsum dolor sit amet ' * (n % 5)}" for n in range(60 * size)]


def work(lines: list[str]) -> str:
    page = ""
    for number, line in enumerate(lines):
        head, _, rest = line.partition(":")
        title = head.strip().upper()
        page += f"## {number:>4} {title!r}\n"
        page += "- " + shortened(rest, 40) + "\n"
        for word in rest.split():
            if word.startswith("i"):
                page += word[0].upper() + word[1:] + ", "
        page += "%s has %d characters\n" % (title, len(rest))  # noqa: UP031  # what is measured
        page += "{} of {}: {:.1f} %\n".format(number, len(lines), 100 * number / len(lines))  # noqa: UP032  # likewise
    return "\n".join(reversed(page.splitlines()))


def shortened(text: str, width: int) -> str:
    text = text.replace("ipsum", "IPSUM").strip()
    if len(text) <= width:
        return text.ljust(width, ".")
    return text[: width - 3] + "..."
