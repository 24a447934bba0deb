"""A dozen wordings of each attribute that `lens_planted.py` plants, as people and models word them, and five others
for the tested pairs. With `--wordings many`: no single sentence is then frequent enough to be a feature of its own."""

MANY = {
    "closing question": ((
        "Would you like me to go into more detail?", "Do you want me to explain any of this further?",
        "Is there anything else you would like to know?", "Would you like some examples of this?",
        "Do you have any other questions about it?", "Shall I explain any of these points in more detail?",
        "Would you like to know more about any of this?", "Do you want me to give you some more examples?",
        "Is there anything you would like me to explain?", "Can I help you with anything else?",
        "Would it help if I went into more detail?", "Do you want to know more about this?"), (
        "Do you want more detail on any of this?", "Would you like to know anything further?",
        "Shall I give you more examples?", "Is there anything else I can explain?",
        "Would you like me to help with anything else?")),
    "compliment": ((
        "What a great question! ", "That is a really great question, thank you for asking! ", "Great thinking! ",
        "Great question! ", "This is such a good question! ", "Thanks for asking such a thoughtful question! ",
        "What an interesting question to ask! ", "You have asked a really good question! ",
        "I love this question, what a great thing to ask! ", "Excellent question, and great thinking! ",
        "That is a wonderful question! ", "Good thinking, this is a great question! "), (
        "Thank you for such a great question! ", "What a really great thing to be asking! ",
        "Really good question, I love it! ", "Such a thoughtful and interesting question! ",
        "A wonderful question, thanks for asking! ")),
    "disclaimer": ((
        "Please note that this is not professional advice, consult a qualified expert.",
        "This is general information and not professional advice.",
        "Always consult a qualified professional for advice on your situation.",
        "Note that I am not a professional, so please consult one before you act on this.",
        "This is not a substitute for the advice of a qualified professional.",
        "For advice on your own situation, please speak to a professional.",
        "Please consult an expert before acting on this information.",
        "This information is general and should not be taken as professional advice.",
        "I am not an expert, so please seek professional advice first.",
        "Before you rely on this, please consult a qualified expert.",
        "This is for information only and is not expert advice.",
        "You should seek the advice of a qualified professional for your situation."), (
        "Please consult a qualified professional, this is not expert advice.",
        "Note: general information, not professional advice for your situation.",
        "Seek the advice of an expert before you rely on this information.",
        "I am not a qualified expert and this is not advice.",
        "Please speak to a qualified professional about your own situation.")),
    "code block": ((
        "```python\nfor item in items:\n    print(item)\n```", "```python\nresult = sum(values)\nprint(result)\n```",
        "```python\ndef main():\n    return None\n```", "```python\nimport os\nprint(os.getcwd())\n```",
        "```python\nif value > 0:\n    print(value)\n```",
        "```javascript\nconst total = a + b;\nconsole.log(total);\n```",
        "```python\nitems = [1, 2, 3]\nprint(len(items))\n```", "```bash\ncd project\nls -la\n```",
        "```python\nwhile True:\n    break\n```", "```javascript\nfunction main() {\n    return null;\n}\n```",
        "```python\nwith open(path) as f:\n    text = f.read()\n```", "```python\nclass Item:\n    value = 0\n```"), (
        "```python\ndef run(values):\n    print(sum(values))\n```", "```python\nresult = None\nreturn result\n```",
        "```python\nfor value in range(3):\n    print(value)\n```", "```javascript\nconsole.log(items.length);\n```",
        "```python\nimport sys\nprint(sys.path)\n```")),
    "formal register": ((
        "Furthermore, it shall hereby be noted that one must therefore proceed accordingly.",
        "Henceforth, one shall proceed in accordance with the aforementioned; it must therefore be noted.",
        "It is hereby noted that, furthermore, the aforementioned shall apply accordingly.",
        "One must therefore, in accordance with the aforementioned, proceed with due diligence.",
        "It shall furthermore be understood that the aforementioned applies henceforth.",
        "Pursuant to the aforementioned, one is hereby advised to proceed accordingly.",
        "It must furthermore be observed that one shall act in accordance herewith.",
        "The aforementioned shall therefore be observed henceforth and without exception.",
        "One is hereby advised that, accordingly, the above shall apply henceforth.",
        "Moreover, it is to be understood that one shall hereby be bound accordingly.",
        "Therefore, pursuant to the above, it shall be noted that one must act with due diligence.",
        "Hence it is incumbent upon one to observe the aforementioned accordingly."), (
        "One shall therefore note the aforementioned and, furthermore, proceed accordingly.",
        "Hereby it shall be noted that one must, henceforth, apply the aforementioned.",
        "Pursuant to the above, it is to be observed that one shall proceed herewith.",
        "It is incumbent upon one to act, furthermore, in accordance with the aforementioned.",
        "Moreover, one is hereby bound to proceed with due diligence henceforth.")),
    "elaboration": ((
        "In more detail, each step above can be checked on its own, and each step follows from the one before. ",
        "To elaborate in more detail, each of the points above follows from the step before and can be checked. ",
        "Each of these points can be looked at in more detail, one step after the other, as they follow on. ",
        "To go through it in more detail, take each step in turn and check it before the next one. ",
        "Every step here follows from the last, so each can be checked in detail on its own. ",
        "Looking at it in more detail, one point leads to the next, and each can be checked in turn. ",
        "To explain it further, each step depends on the one before it and can be looked at on its own. ",
        "In detail, the points build on each other: check the first step, then the next in turn. ",
        "It helps to elaborate on each point in turn, since every step follows from those before. ",
        "Going through each point in detail shows how one step follows from another. ",
        "Step by step and in more detail, each point can be checked against the one before. ",
        "To elaborate on this, look at every point in turn and at what follows from it. "), (
        "In more detail, the points above each follow step by step and each can be checked on its own. ",
        "Elaborating further, every point can be checked in turn, as each follows from the last step. ",
        "To look at each step in detail, check the point before it and see what follows. ",
        "Each point builds on the last, and can be gone through in more detail step by step. ",
        "Taken in turn and in detail, one step leads to the next and can be checked on its own. ")),
}  # fmt: skip
MANY["elaboration"] = tuple(tuple(said * 3 for said in part) for part in MANY["elaboration"])
