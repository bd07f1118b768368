"""Notebooks with the shapes of Kale's public examples, small and without downloads.

Cells are pairs of tags and text, as `notebook` of conftest.py takes them.
"""

from __future__ import annotations

CANDIES = (
    ("imports", "import random\nrandom.seed(3)"),
    ("pipeline-parameters", "CANDIES = 20"),
    (
        "functions",
        "def get_handful(left):\n    if left == 0:\n        print('no candies left')\n"
        "        return 0\n    return max(left // 3, 1)",
    ),
    ("step:sack", 'print("RESULT bag of %s" % CANDIES)'),
    ("prev:sack step:kid1", "# kid1 gets a handful\nkid1 = get_handful(CANDIES)"),
    ("prev:kid1 step:kid2", "kid2 = get_handful(CANDIES - kid1)"),
    (
        "prev:kid2 step:kid3 prev:kid1",
        "kid3 = get_handful(CANDIES - kid1 - kid2)\nprint('RESULT', kid1, kid2, kid3)",
    ),
)

TITANIC = (
    "# md\n# Who survived?\nSome words.",
    ("imports", "import numpy as np"),
    (
        "block:loaddata",
        "LABEL = 'survived'\nrows = [{'age': i % 50, 'fare': i / 2, LABEL: i % 3 == 0} for i in range(30)]\n"
        "test_rows = [dict(row) for row in rows[:5]]",
    ),
    ("skip", "rows[:3]"),
    (
        "block:preprocess prev:loaddata",
        "data = [rows, test_rows]\nfor part in data:\n    for row in part:\n        row['old'] = row['age'] > 30",
    ),
    "rows = [row for row in rows if row['age']]",
    "len(rows)",
    (
        "block:features prev:preprocess",
        "x = np.array([[r['age'], r['fare'], r['old']] for r in rows])\ny = np.array([r[LABEL] for r in rows])\nx[:, 0] /= 50",
    ),
    ("block:means prev:features", "acc_means = round(float((x.mean(axis=1) > 3).mean()), 4)"),
    ("block:zeros prev:features", "acc_zeros = round(float((~y).mean()), 4)"),
    (
        "block:results prev:means prev:zeros",
        "results = sorted({'means': acc_means, 'zeros': acc_zeros}.items())\nprint('RESULT', results)\nresults",
    ),
)

DOGS = (
    "!wget https://example.com/dogs.zip",
    ("imports", "import math\nfrom collections import *\n%matplotlib inline"),
    ("pipeline-parameters", 'nodes_number = 4\nlearning_rate = 0.5\nname = "it\'s"'),
    (
        "block:load_data",
        "def load(path):\n    return [len(path) + i for i in range(nodes_number)]\n\ntrain = load('dogs')",
    ),
    ("", "dog_files_short = train[:2]"),
    ("block:detect prev:load_data", "def detector(n):\n    return n * weight > learning_rate"),
    ("block:", "weight = 0.1\nfound = [detector(n) for n in train]"),
    ("skip", "found = None"),
    (
        "block:cnn prev:detect",
        "counts = Counter(found)\nmodel = OrderedDict(weights=[math.sqrt(n) for n in train])",
    ),
    (
        "",
        "def predict(n):\n    return model['weights'][n] * weight\n\ntest_accuracy = round(predict(1), 6)\nmodel['weights'].append(0)",
    ),
    (
        "",
        "print('RESULT', counts, test_accuracy, f'{name} {len(model[\"weights\"])} {dog_files_short}')",
    ),
    ("pipeline-metrics", "print(test_accuracy)"),
)

TAXI = (
    ("imports", "import os\nimport json\nimport tempfile"),
    ("functions", "DATA_DIR = tempfile.gettempdir()\nseen = []"),
    ("pipeline-parameters", "# training parameters\nEPOCHS = 2\nHIDDEN = '4, 2'"),
    (
        "functions",
        "def parse(text):\n    seen.append(text)\n    return [int(part.strip()) * EPOCHS for part in text.split(',')]",
    ),
    (
        "step:validate limit:cpu:1 label:team:a",
        "schema = {'columns': ['a', 'b']}\ncompany = schema['columns']",
    ),
    "company.append('c')",
    (
        "step:transform",
        "layers = parse(HIDDEN)\nwidths = dict(zip(schema['columns'], layers))\ndel layers",
    ),
    (
        "step:train prev:transform annotation:a.b/c:http://x",
        "class Estimator:\n    def __init__(self, widths):\n        self.widths = widths\n        self.steps = 0\n\n"
        "    def train(self, fn):\n        self.steps += fn()\n\n\nestimator = Estimator(widths)",
    ),
    "for epoch in range(int(EPOCHS)):\n    estimator.train(lambda: epoch + 1)",
    (
        "step:evaluate prev:train",
        "result = json.dumps([estimator.steps, estimator.widths, company, schema, seen])\nprint('RESULT', result, isinstance(estimator, Estimator))",
    ),
)

VACCINE = (
    ("skip", "!pip install --user -r requirements.txt"),
    ("imports", "import numpy as np"),
    ("pipeline-parameters", "EMBED = 3\nDROPOUT = .5\nLENGTH = 4"),
    ("block:load", "train = np.arange(12.0).reshape(3, 4)\ntest = train[:1].copy()"),
    ("", "train"),
    ("block:preprocess prev:load", "symbols = 'ACGU'\ncols = [0, 2]"),
    ("", "def features(row):\n    # the columns that count\n    return [row[c] for c in cols]"),
    ("", "x_train = np.array([features(row) for row in train])\ntest[0, 0] = 100"),
    (
        "block:model prev:preprocess",
        "def layer(width=int(EMBED), drop=float(DROPOUT)):\n    return width * drop",
    ),
    ("", "def build(n, length=int(LENGTH)):\n    return {'w': layer() * n, 'length': length}"),
    ("", "model = build(len(symbols))\nmodel['loss'] = float(x_train.sum())"),
    (
        "block:evaluate prev:model",
        "other = build(1, length=2)\nother['w'] = model['w']\nprint('RESULT', model, other, train[0].tolist(), test.tolist(), features(test[0]))",
    ),
)

NOTEBOOKS = {
    "candies": CANDIES,
    "titanic": TITANIC,
    "dogs": DOGS,
    "taxi": TAXI,
    "vaccine": VACCINE,
}
