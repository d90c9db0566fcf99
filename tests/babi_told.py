"""Stories of all kinds of bAbI with their right answers, and stories that do not tell what is asked."""

from __future__ import annotations

STORIES = {
    "1": (
        "Mary went to the park. John moved to the office. Mary went back to the garden. Where is Mary?", "garden", [3],
    ),
    "2, dropped": (
        "John got the milk there. John went to the hallway. John put down the milk. John went to the garden."
        " Where is the milk?",
        "hallway", [3, 2],
    ),
    "2, carried": ("John got the milk. John went to the hallway. Where is the milk?", "hallway", [1, 2]),
    "3": (
        "Mary took the apple. Mary went to the office. Mary went to the garden. Mary left the apple there."
        " Where was the apple before the garden?", "office", [4, 3, 2],
    ),
    "3, a room twice": (
        "Bill got the apple. Bill went to the park. Bill went to the school. Bill went to the cinema."
        " Bill went to the school. Where was the apple before the school?", "cinema", [1, 5, 4],
    ),
    "4, subject": ("The office is north of the hallway. What is north of the hallway?", "office", [1]),
    "4, other way": (
        "The park is east of the school. The school is east of the garden. What is the garden west of?", "school", [2],
    ),
    "5, what": ("Fred got the milk. Fred gave the milk to Jeff. What did Fred give to Jeff?", "milk", [2]),
    "5, who": ("Fred gave the milk to Jeff. Jeff handed the milk to Bill. Who gave the milk?", "jeff", [2]),
    "5, who to": ("Fred gave the milk to Jeff. Who gave the milk to Jeff?", "fred", [1]),
    "5, received": ("Fred gave the milk to Jeff. Jeff passed the milk to Bill. Who received the milk?", "bill", [2]),
    "5, to whom": ("Fred gave the milk to Jeff. Who did Fred give the milk to?", "jeff", [1]),
    "6": ("Daniel went to the office. Daniel travelled to the park. Is Daniel in the office?", "no", [2]),
    "7": (
        "John got the apple there. Mary gave the milk to John. John dropped the apple."
        " How many objects is John carrying?",
        "one", [1, 2, 3],
    ),
    "7, none": ("Mary gave the milk to John. How many objects is Mary carrying?", "none", [1]),
    "8": (
        "Bill took the milk. Bill got the apple. Bill left the milk there. Bill grabbed the milk."
        " What is Bill carrying?",
        "milk,apple", [1, 3, 4, 2],
    ),
    "8, nothing": ("Bill took the milk. Bill left the milk. What is Bill carrying?", "nothing", [1, 2]),
    "9, yes": ("John is in the office. Is John in the office?", "yes", [1]),
    "9, no longer": ("John is in the office. John is no longer in the office. Is John in the office?", "no", [2]),
    "10, maybe": ("Julie is either in the park or the school. Is Julie in the school?", "maybe", [1]),
    "10, twice": ("Julie is either in the park or the park. Is Julie in the park?", "maybe", [1]),
    "10, no": ("Julie is in the cinema. Julie is either in the park or the school. Is Julie in the cinema?", "no", [2]),
    "11": ("Mary went to the park. After that she moved to the office. Where is Mary?", "office", [1, 2]),
    "12": ("Mary and John moved to the park. Mary went to the office. Where is John?", "park", [1]),
    "13": ("Mary and Bill went to the park. Then they went to the office. Where is Bill?", "office", [1, 2]),
    "14": (
        "This evening Julie went to the park. Julie moved to the school yesterday. Julie went to the cinema this"
        " afternoon. Where was Julie before the park?", "cinema", [1, 3],
    ),
    "15": ("Sheep are afraid of wolves. Emily is a sheep. What is Emily afraid of?", "wolf", [2, 1]),
    "16": ("Lily is a frog. Greg is a frog. Greg is green. What color is Lily?", "green", [1, 2, 3]),
    "16, introduced last counts": (
        "Lily is a frog. Brian is a frog. Brian is white. Greg is a frog. Greg is green. Julius is a frog."
        " Julius is gray. Lily is yellow. What color is Bernhard? Bernhard is a frog. What color is Bernhard?",
        "gray", [10, 6, 7],
    ),
    "17, across": (
        "The triangle is above the pink rectangle. The blue square is to the left of the triangle."
        " Is the pink rectangle to the right of the blue square?", "yes", [1, 2],
    ),
    "17, in line": (
        "The red sphere is above the red square. The red sphere is below the triangle."
        " Is the red square to the left of the triangle?", "no", [1, 2],
    ),
    "18, chain": (
        "The box of chocolates fits inside the chest. The box is bigger than the chest."
        " Does the box fit in the box of chocolates?", "no", [1, 2],
    ),
    "18, bigger": (
        "The chest is bigger than the chocolate. The suitcase is bigger than the chest."
        " Is the suitcase bigger than the chocolate?", "yes", [2, 1],
    ),
    "19": (
        "The park is west of the school. The garden is east of the school. The office is north of the park."
        " How do you go from the school to the office?", "w,n", [1, 3],
    ),
    "20, where": ("Yann is tired. Where will Yann go?", "bedroom", [1]),
    "20, why go": ("Yann is bored. Yann went to the garden. Why did Yann go to the garden?", "bored", [1]),
    "20, why get": ("Yann is hungry. Yann grabbed the apple there. Why did Yann get the apple?", "hungry", [1]),
}  # fmt: skip
"""A story of each kind of question, the answer to its last one, and the sentences it follows from."""

NOT_TOLD = [
    "Mary got the milk there. Where is the milk?",
    "Mary went to the park. Where is John?",
    "Mary went to the park. Where is the milk?",
    "Mary went to the park. How many objects is John carrying?",
    "Mary went to the park. What is John carrying?",
    "Mary is not in the park. Where is Mary?",
    "Mary is not in the park. Is Mary in the school?",
    "Mary is either in the park or the school. Where is Mary?",
    "Mary went to the park. Is John in the park?",
    "Mary went to the park. Where was Mary before the park?",
    "Mary went to the park. Where was Mary before the school?",
    "Mary got the milk. Mary went to the park. Where was the milk before the park?",
    "Mary went to the park. Where was the milk before the park?",
    "Fred gave the milk to Jeff. What did Jeff give to Fred?",
    "Fred gave the milk to Jeff. Who gave the apple?",
    "Fred gave the milk to Jeff. Who gave the milk to Bill?",
    "Fred gave the milk to Jeff. Who did Bill give the milk to?",
    "The park is north of the school. What is south of the park? Is the park above the office?",
    "The park is north of the school. How do you go from the park to the office?",
    "The box is bigger than the chest. The suitcase is bigger than the chest. Is the box bigger than the suitcase?",
    "Emily is a wolf. What is Emily afraid of?",
    "Lily is a frog. Greg is green. What color is Lily?",
    "Yann went to the garden. Why did Yann go to the garden?",
    "Yann is bored. Yann went to the kitchen. Why did Yann go to the kitchen?",
    "Yann is bored. Where will Jason go?",
]
