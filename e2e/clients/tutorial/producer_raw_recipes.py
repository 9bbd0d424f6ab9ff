"""First of three: fetches the recipe pages of a site and puts their HTML on the topic raw_recipes."""

from html.parser import HTMLParser
from urllib.parse import urljoin
from urllib.request import Request, urlopen

from common import SITE, producer, send

TOPIC = "raw_recipes"


class ListPage(HTMLParser):
    """The recipes a list page links to, and the list's next page."""

    def __init__(self):
        super().__init__()
        self.recipes, self.next = [], None

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        classes = (attributes.get("class") or "").split()
        if tag == "a" and "fixed-recipe-card__title-link" in classes:
            self.recipes.append(attributes["href"])
        elif tag == "a" and attributes.get("rel") == "next":
            self.next = attributes["href"]


def fetch(url):
    with urlopen(Request(url, headers={"User-Agent": "recipe-tutorial"}), timeout=60) as answer:
        return answer.read().decode(answer.headers.get_content_charset() or "utf-8")


def recipe_urls(start):
    url = start
    while url:
        page = ListPage()
        page.feed(fetch(url))
        yield from (urljoin(url, link) for link in page.recipes)
        url = page.next and urljoin(url, page.next)


def main():
    client, published = producer(), 0
    for url in recipe_urls(urljoin(SITE, "/recipes/")):
        send(client, TOPIC, "raw", fetch(url))
        published += 1
    client.close()
    print(f"{published} pages published")


if __name__ == "__main__":
    main()
