"""Second of three: turns the HTML on raw_recipes into JSON on parsed_recipes."""

import json
import re
from html.parser import HTMLParser

from common import messages, producer, send

SOURCE, TARGET = "raw_recipes", "parsed_recipes"

# Which class of the page's markup holds which part of a recipe.
PARTS = {
    "recipe-summary__h1": "title",
    "submitter__name": "submitter",
    "submitter__description": "description",
    "calorie-count": "calories",
    "recipe-ingred_txt": "ingredients",
}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class RecipePage(HTMLParser):
    """Collects the text of each element that has one of the classes above."""

    def __init__(self):
        super().__init__()
        self.texts = {part: [] for part in PARTS.values()}
        self.open = []

    def handle_starttag(self, tag, attributes):
        if tag in VOID:
            return
        classes = (dict(attributes).get("class") or "").split()
        part = next((PARTS[name] for name in classes if name in PARTS), None)
        if part:
            self.texts[part].append("")
        self.open.append((tag, part))

    def handle_endtag(self, tag):
        while self.open and tag in (name for name, _ in self.open):
            if self.open.pop()[0] == tag:
                return

    def handle_data(self, data):
        for part in {part for _, part in self.open if part}:
            self.texts[part][-1] += data

    def recipe(self):
        def first(part):
            return next((text.strip() for text in self.texts[part] if text.strip()), None)

        number = re.search(r"\d[\d,]*", first("calories") or "")
        return first("title") and {
            "title": first("title"),
            "submitter": first("submitter"),
            "description": (first("description") or "").strip('"'),
            "calories": int(number[0].replace(",", "")) if number else None,
            "ingredients": [{"step": text.strip()} for text in self.texts["ingredients"] if text.strip()],
        }


def main():
    client, parsed = producer(), 0
    for message in messages(SOURCE):
        page = RecipePage()
        page.feed(message.value.decode())
        recipe = page.recipe()
        if recipe:
            send(client, TARGET, "parsed", json.dumps(recipe))
            parsed += 1
    client.close()
    print(f"{parsed} recipes parsed")


if __name__ == "__main__":
    main()
