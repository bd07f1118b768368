"""A page as a tree of elements, which holds that it is well made."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "link", "img", "br", "hr", "input"}
NAMED = {"region", "img", "group"}


class Element:
    def __init__(self, tag, attributes, parent):
        self.tag, self.attributes, self.parent = tag, attributes, parent
        self.children = []

    def all(self, tag=None, **attributes):
        """The elements inside that have a tag and attributes."""
        for child in self.children:
            if isinstance(child, Element):
                wanted = {name.rstrip("_"): value for name, value in attributes.items()}
                if tag in {None, child.tag} and wanted.items() <= child.attributes.items():
                    yield child
                yield from child.all(tag, **attributes)

    def one(self, tag=None, **attributes):
        (found,) = self.all(tag, **attributes)
        return found

    @property
    def text(self):
        return "".join(c.text if isinstance(c, Element) else c for c in self.children)


class _Parser(HTMLParser):
    def __init__(self):
        super().__init__()
        self.root = self.at = Element("", {}, None)

    def handle_starttag(self, tag, attrs):
        element = Element(tag, dict(attrs), self.at)
        self.at.children.append(element)
        if tag not in VOID:
            self.at = element

    def handle_endtag(self, tag):
        assert self.at.tag == tag, (self.at.tag, tag)
        self.at = self.at.parent

    def handle_data(self, data):
        self.at.children.append(data)


def parse(page):
    """The page; every element is closed, every id is there once, and every link leads somewhere."""
    parser = _Parser()
    parser.feed(page)
    assert parser.at is parser.root
    root = parser.root
    ids = [one.attributes["id"] for one in root.all() if "id" in one.attributes]
    assert sorted(set(ids)) == sorted(ids)
    for link in root.all("a"):
        href = link.attributes["href"]
        assert not href.startswith("#") or href[1:] in ids, href
    for one in root.all():
        assert one.attributes.get("aria-labelledby") in {None, *ids}
    return root


def hold_accessible(root):
    """What a screen reader needs: landmarks, one title, heads of tables, texts for pictures."""
    assert root.one("head").one("title").text
    for tag in ("header", "main", "h1"):
        assert len(list(root.all(tag))) == 1, tag
    assert root.one("html").attributes["lang"] == "en"
    for nav in root.all("nav"):
        assert nav.attributes["aria-label"]
    for table in root.all("table"):
        if list(table.all("caption")):  # else a table that a step has logged
            assert all("scope" in head.attributes for head in table.all("th"))
    for section in root.all("section"):
        assert section.attributes["aria-labelledby"]
    for image in root.all("img"):
        assert image.attributes["alt"]
    for one in root.all():
        if one.attributes.get("role") in NAMED and one.tag != "img":
            assert one.attributes["aria-label"], one.tag


def hold_alone(page, root):
    """Nothing is loaded from elsewhere, and no script but its own would run."""
    for one in root.all():
        for name in ("src", "href", "data", "action", "poster", "srcset"):
            value = one.attributes.get(name, "#")
            assert value.startswith(("#", "data:")), (one.tag, value)
        assert not [name for name in one.attributes if name.startswith("on")]
    assert "@import" not in page
    assert "url(" not in page
    assert len(list(root.all("script"))) == 1


def outline(element, depth=0):
    """What a reader comes across, a line for each: headings, rows, steps, pictures, code."""
    for child in element.children:
        if not isinstance(child, Element):
            continue
        if child.tag in {"h1", "h2", "h3", "li", "summary", "figcaption", "pre", "p", "img"}:
            text = child.text or child.attributes.get("alt", "")
            yield f"{'  ' * depth}{child.tag} {text.strip()}".rstrip()
        elif child.tag == "tr":
            cells = (one.text for one in child.children if isinstance(one, Element))
            yield f"{'  ' * depth}| {' | '.join(cells)}".rstrip()
        elif child.tag == "a" and "data-id" in child.attributes:
            yield f"{'  ' * depth}card {child.attributes['class']}"
        else:
            inner = depth + (child.tag in {"section", "details", "table", "svg"})
            yield from outline(child, inner)
