"""Third of three: says which of the recipes on parsed_recipes have more than 200 calories."""

import json

from common import messages

TOPIC, THRESHOLD = "parsed_recipes", 200


def main():
    for message in messages(TOPIC):
        recipe = json.loads(message.value)
        if recipe["calories"] is not None and recipe["calories"] > THRESHOLD:
            print(f"Alert: {recipe['title']} calories count is {recipe['calories']}", flush=True)


if __name__ == "__main__":
    main()
