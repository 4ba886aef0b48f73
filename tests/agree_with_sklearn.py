#!/usr/bin/python3
"""Whether the figures of maxgl-cl eval are those that scikit-learn, SciPy and NumPy compute from the same features. Needs
Debian's python3-sklearn (./setup.sh test); exits with 77 where it is missing.

    tests/agree_with_sklearn.py --build build/release [--device S]

Videos of maxgl-cl synth are arranged as UCF101 (three splits), ASLAN and YUPENN were published and as a list of our own. A tiny
network is trained for a few steps, on labels too, and maxgl-cl embed writes its features of every clip. From these and from the
formulas in docs/method.md each protocol is computed here, with other algorithms for the same objectives where there are any
(Newton's method on logistic regression, coordinate descent on the dual of the SVM), and all numbers in the JSON of maxgl-cl eval
are compared: one that is not computed here is an error. Exits with 1 if anything is beyond its limit.
"""
import argparse
import csv
import hashlib
import json
import math
import os
import struct
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # matrices are tiny
os.environ["MAXGL_FEATURE_CACHE_MB"] = "0"  # each protocol computes its features itself

try:
    import numpy as np
    import scipy.io
    import sklearn
    from scipy.spatial import distance
    from scipy.special import softmax
    from scipy.stats import hypergeom
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import accuracy_score, confusion_matrix, recall_score, roc_auc_score, roc_curve, top_k_accuracy_score
    from sklearn.model_selection import LeaveOneOut, cross_val_predict
    from sklearn.neighbors import NearestNeighbors
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import Normalizer, StandardScaler
    from sklearn.svm import LinearSVC
except ImportError as missing:
    print(f"skipped: {missing}; Debian has it as python3-sklearn")
    sys.exit(77)

VIDEOS, FRAMES, CLIP = 96, 12, 4  # so a video has nine different clips
FOLDS, PAIRS = 10, 14
KS = [1, 5, 10, 20, 50]
TINY = ["network.name=r3d-vcop", "network.width=0.0625", f"clip.frames={CLIP}", "clip.stride=1", "clip.size=16", "train.batch=8",
        "train.optimizer=adam", "train.lr=0.003", "augment.flip=0", "data.workers=1"]

# A count or a choice is the same or is not; ratios differ by the order of summation, similarities are in single precision.
KINDS = {int: ("counts, choices", 0), float: ("ratios", 1e-12), np.float32: ("similarities", 1e-5)}


class Report:
    """What was compared: figures and their worst difference, by protocol and kind."""

    def __init__(self):
        self.rows = {}

    def add(self, protocol, kind, error, where):
        count, worst, place = self.rows.get((protocol, kind), (0, -1, ""))
        if not error <= worst:  # a NaN is worse than anything
            worst, place = error, where
        self.rows[protocol, kind] = (count + 1, worst, place)

    def compare(self, protocol, got, want, where=""):
        """Every number of @got, which must be in @want, and every text of @want."""
        if isinstance(got, dict) and (want is None or isinstance(want, dict)):
            for name in {**got, **(want or {})}:
                self.compare(protocol, got.get(name), want and want.get(name), f"{where}.{name}")
        elif isinstance(got, list) and (want is None or (isinstance(want, (list, np.ndarray)) and len(want) == len(got))):
            for i, element in enumerate(got):
                self.compare(protocol, element, None if want is None else want[i], f"{where}[{i}]")
        elif isinstance(got, (int, float)) and isinstance(want, (int, float, np.number)):
            kind = int if isinstance(want, np.integer) else np.float32 if isinstance(want, np.float32) else type(want)
            self.add(protocol, float if kind is np.float64 else kind, abs(got - float(want)), where)
        elif isinstance(got, str) and want is None:
            pass  # the time, the device, …
        elif got != want:
            self.add(protocol, int, math.inf, f"{where} is {got}, not {want}")

    def print(self):
        """Whether all is well."""
        print(f"{'protocol':22} {'':16} {'figures':>7}  worst difference")
        good = True
        for (protocol, kind), (count, worst, place) in self.rows.items():
            name, limit = KINDS[kind]
            bad = not worst <= limit
            good &= not bad
            verdict = f"TOO FAR  {place}" if bad else "agrees"
            print(f"{protocol:22} {name:16} {count:7}  {worst:9.2e}  limit {limit:.0e}  {verdict}")
        return good


class Program:
    """maxgl-cl in a folder of its own."""

    def __init__(self, args, folder):
        self.command, self.folder = [os.path.abspath(os.path.join(args.build, "bin", "maxgl-cl"))], folder
        self.device = ["--device", args.device]

    def run(self, *words):
        command = self.command + list(words)
        result = subprocess.run(command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        if result.returncode:
            sys.exit(f"{' '.join(command)}: exit {result.returncode}\n{result.stderr}")
        return result.stdout

    def train(self, out, *words, settings):
        sets = [word for setting in TINY + settings for word in ("--set", setting)]
        self.run("train", *self.device, "-o", out, *sets, *words)

    def eval(self, *words):
        return json.loads(self.run("eval", *words, *self.device, "--json", "-"))

    def eval_mean(self, files):
        return json.loads(self.run("eval", "mean", *files, "--json", "-"))

    def path(self, *names):
        return os.path.join(self.folder, *names)


# ---------------- data sets ----------------


class Videos:
    """Those of maxgl-cl synth, numbered; and links to them as data sets were published."""

    def __init__(self, program):
        self.program = program
        program.run("synth", "made", "--threads", "1", "--set",
                    f"videos={VIDEOS},test=0,test_new=0,directions=8,frames={FRAMES},width=16,height=16")
        with open(program.path("made", "list.csv")) as file:
            self.rows = list(csv.DictReader(file))

    def column(self, name):
        return [row[name] for row in self.rows]

    def link(self, i, *names):
        """Its path by another name."""
        path = os.path.join(*names)
        os.makedirs(os.path.dirname(self.program.path(path)), exist_ok=True)
        os.link(self.program.path("made", self.rows[i]["path"]), self.program.path(path))
        return path

    def write(self, text, *names, newline="\n"):
        path = self.program.path(*names)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", newline=newline) as file:
            file.write(text)


def make_ucf101(videos):
    """Classes by motion, three splits. The data set's source, paths, labels, and for each split its training and test videos in
    the order of the lists."""
    classes = ["ApplyEyeMakeup", "BabyCrawling", "Basketball", "HandstandPushups", "HorseRace", "JumpRope", "TaiChi", "YoYo"]
    motions = sorted(set(videos.column("motion")))
    labels = [motions.index(motion) for motion in videos.column("motion")]
    paths, lines, nth, splits = [], [], [0] * len(classes), []
    for i, label in enumerate(labels):
        stem = classes[label].replace("Handstand", "HandStand")  # as it was published
        name = f"v_{stem}_g{nth[label] + 1:02}_c01"
        paths.append(videos.link(i, "UCF-101", classes[label], name + ".mkv"))
        lines.append((nth[label], f"{classes[label]}/{name}.avi"))
        nth[label] += 1
    numbered = "".join(f"{k + 1} {name}\n" for k, name in enumerate(classes))
    videos.write(numbered, "ucfTrainTestlist", "classInd.txt", newline="\r\n")
    for s in range(3):
        train = [i for i, (n, _) in enumerate(lines) if n % 3 != s]
        test = [i for i, (n, _) in enumerate(lines) if n % 3 == s][::-1]
        text = "".join(f"{lines[i][1]} {labels[i] + 1} \n" for i in train)
        videos.write(text, "ucfTrainTestlist", f"trainlist0{s + 1}.txt", newline="\r\n")
        videos.write("".join(f"{lines[i][1]}\n" for i in test), "ucfTrainTestlist", f"testlist0{s + 1}.txt", newline="\r\n")
        splits.append((train, test))
    return "ucf101:videos=UCF-101,lists=ucfTrainTestlist,split=", paths, np.array(labels), classes, splits


def make_list(videos):
    """A list with a class of a single training video, one without any, and videos without a class."""
    labels = videos.column("appearance")
    split = ["train" if i % 5 < 3 else "test" if i % 5 == 3 else "val" for i in range(VIDEOS)]
    for i in range(VIDEOS):
        if i % 11 == 5:
            labels[i] = ""
        elif i in (0, 3):
            labels[i] = "alone"
        elif i in (8, 14):
            labels[i] = "unseen"
    lines = [f"{row['path']},{s},{label}\n" for row, s, label in zip(videos.rows, split, labels)]
    videos.write("path,split,kind\n" + "".join(lines), "made", "kinds.csv")
    classes = sorted(set(labels) - {""})
    numbers = np.array([classes.index(label) if label else -1 for label in labels])
    return [f"made/{row['path']}" for row in videos.rows], numbers, classes, np.array(split)


def make_yupenn(videos):
    """Classes by background."""
    classes = ["Beach", "City_Street", "Elevator", "Forest_Fire"]
    grounds = sorted(set(videos.column("background")))
    labels = np.array([grounds.index(ground) for ground in videos.column("background")])
    for i, label in enumerate(labels):
        videos.link(i, "YUPENN", classes[label], f"{classes[label]}_{i:03}.mkv")
    return labels, classes


def make_aslan(videos):
    """Pairs of the same motion and of others, as View 1 and View 2 in .mat: rows of first, second, same and fold from 0."""
    motions, random = videos.column("motion"), np.random.default_rng(1)
    for i in range(VIDEOS):
        videos.link(i, "ASLAN", f"part {i % 3}", f"{i + 1:06}.mkv")
    found = {}
    while len(found) < FOLDS * PAIRS:
        a, b = sorted(random.choice(VIDEOS, 2, replace=False))
        same = motions[a] == motions[b]
        if same == (len(found) % 2 == 0):
            found.setdefault((a, b), same)
    pairs = np.array([(a, b, same, n // PAIRS) for n, ((a, b), same) in enumerate(found.items())])
    cube = np.stack([pairs[pairs[:, 3] == fold][:, :3] + [1, 1, 0] for fold in range(FOLDS)], axis=2)
    scipy.io.savemat(videos.program.path("view2.mat"), {"action_splits_pairs": cube.astype(float)})
    tested = pairs[:, 3] >= 7
    scipy.io.savemat(videos.program.path("view1.mat"), {f"{name}_pairs": pairs[part][:, :3] + [1.0, 1, 0]
                                                        for name, part in (("train", ~tested), ("test", tested))})
    return pairs


# ---------------- features and weights ----------------


def embed(program, model):
    """(videos, clips, features) in double precision: the clips begin with frame 0, 1, …"""
    program.run("embed", *program.device, "--model", model, "--out", "features.npy", "made/list.csv")
    features = np.load(program.path("features.npy")).astype(float)
    with open(program.path("features.index.csv")) as file:
        rows = list(csv.DictReader(file))
    clips = FRAMES - CLIP + 1
    assert [int(row["clip"]) for row in rows] == list(range(clips)) * VIDEOS
    starts = np.array([float(row["first_seconds"]) for row in rows]).reshape(VIDEOS, clips)
    assert np.allclose(np.diff(starts), starts[0, 1], atol=2e-3) and starts[0, 1] > 0, starts[0]  # stamps are in milliseconds
    return features.reshape(VIDEOS, clips, -1)


def classifier(path):
    """Weight and bias of the fc of a model file."""
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    header, data = json.loads(data[8 : 8 + length]), data[8 + length :]

    def tensor(name):
        begin, end = header[name]["data_offsets"]
        return np.frombuffer(data[begin:end], "<f4").reshape(header[name]["shape"]).astype(float)

    (weight,) = [name for name in header if name.split(".")[-2:] in (["fc", "weight"], ["linear", "weight"])]
    return tensor(weight), tensor(weight.replace("weight", "bias"))


# ---------------- protocols ----------------


def philox(counter, key):
    """Philox 4x32-10 (Salmon et al., SC 2011)."""
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def held_out(labels, seed):
    """Which examples are the fifth of each class that C is chosen on: src/base/random.h, purpose 6."""
    words = (word for n in range(10**6) for word in philox((n, 0, 6 << 24, 0), (seed, 0)))

    def below(n):
        product = next(words) * n
        while product & 0xFFFFFFFF < 2**32 % n:
            product = next(words) * n
        return product >> 32

    order = list(range(len(labels)))
    for i in range(len(order) - 1, 0, -1):
        j = below(i + 1)
        order[i], order[j] = order[j], order[i]
    held = np.zeros(len(labels), bool)
    for label in set(labels):
        members = [i for i in order if labels[i] == label]
        held[members[: max(1, len(members) // 5) if len(members) > 1 else 0]] = True
    return held


def with_bias(x):
    return np.hstack([x, np.ones((len(x), 1))])


def fit_logistic(x, labels, c):
    machine = LogisticRegression(C=c, solver="newton-cholesky", fit_intercept=False, multi_class="ovr", tol=1e-9, max_iter=1000)
    return machine.fit(with_bias(x), labels)


def fit_svm(c):
    return LinearSVC(C=c, dual=True, intercept_scaling=1, tol=1e-9, max_iter=10**6, random_state=0)


def want_splits(parts, clips):
    return {name: {"videos": len(part), "bad": 0, "clips": len(part) * clips} for name, part in parts.items()}


def want_linear(x, labels, classes, parts, label, seed):
    """@parts: the videos of each split, first those to train on."""
    (first, train), *tests = parts.items()
    train = [i for i in train if labels[i] >= 0]
    scaler = StandardScaler().fit(x[train])
    z, y = scaler.transform(x), labels
    held = held_out(y[train], seed)
    rest, chosen_on = np.array(train)[~held], np.array(train)[held]
    right = {c: np.sum(fit_logistic(z[rest], y[rest], c).predict(with_bias(z[chosen_on])) == y[chosen_on])
             for c in (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)}
    c = max(right, key=right.get)
    machine = fit_logistic(z[train], y[train], c)
    counts, results = np.bincount(y[train], minlength=len(classes)), []
    for name, test in tests:
        test = [i for i in test if y[i] >= 0]
        said, truth = machine.predict(with_bias(z[test])), y[test]
        score = {"accuracy": accuracy_score(truth, said), "correct": accuracy_score(truth, said, normalize=False),
                 "videos": len(test), "unseen": sum(counts[truth] == 0), "c": c}
        results.append({"label": label, "split": name, "classes": sum(counts > 0), "chance": 1 / sum(counts > 0),
                        "majority": np.mean(truth == np.argmax(counts)), "networks": {"trained": score}, "class_names": classes,
                        "confusion": confusion_matrix(truth, said, labels=range(len(classes)))})
    return {"seed": seed, "train_split": first, "results": results}


def want_retrieval(x, labels, classes, parts, label, paths):
    (_, train), *tests = parts.items()
    neighbours, results = NearestNeighbors(metric="cosine", algorithm="brute").fit(x[train]), []
    gallery = labels[train]
    for name, test in tests:
        queries = [i for i in test if labels[i] >= 0]
        members = [np.sum(gallery == labels[i]) for i in queries]
        recall, chance = {}, {}
        for k in (min(k, len(train)) for k in KS):
            found = gallery[neighbours.kneighbors(x[queries], k, return_distance=False)]
            recall[k] = float(np.mean(np.any(found == labels[queries][:, None], axis=1)))
            chance[k] = float(np.mean([hypergeom.sf(0, len(train), m, k) for m in members]))
        rename = {str(k): min(k, len(train)) for k in KS}
        results.append({"label": label, "split": name, "queries": len(queries), "unseen": members.count(0),
                        "chance": {name: chance[k] for name, k in rename.items()},
                        "networks": {"trained": {"recall": {name: recall[k] for name, k in rename.items()}}}})

    def shown(i):
        return {"path": paths[i], "labels": {label: classes[labels[i]]} if labels[i] >= 0 else {}}

    (name, test), samples = tests[0], []
    for i in (test[n * len(test) // min(len(test), 8)] for n in range(min(len(test), 8))):
        distances, hits = neighbours.kneighbors(x[[i]], 5)
        samples.append({**shown(i), "hits": [{**shown(train[hit]), "similarity": np.float32(1 - d)}
                                             for d, hit in zip(distances[0], hits[0])]})
    return {"results": results, "sample_split": name, "samples": samples}


def want_recognition(scores, truth, classes):
    """@scores: (videos, classes)."""
    said, k = np.argmax(scores, axis=1), range(len(classes))
    return {"label": "label", "split": "test", "classes": len(classes), "chance": 1 / len(classes),
            "networks": {"trained": {
                "accuracy": accuracy_score(truth, said), "top5": top_k_accuracy_score(truth, scores, k=5, labels=list(k)),
                "per_class": recall_score(truth, said, labels=sorted(set(truth)), average="macro", zero_division=0),
                "correct": accuracy_score(truth, said, normalize=False), "videos": len(truth)}},
            "class_names": classes, "confusion": confusion_matrix(truth, said, labels=k)}


def want_mean(files, measures):
    """Of the results of several splits: rows of what numpy makes of them."""
    rows = []
    for i, result in enumerate(files[0]["results"]):
        for name, find in measures:
            values = [find(file["results"][i]["networks"]["trained"]) for file in files]
            rows.append({"label": result["label"], "split": result["split"], "network": "trained", "measure": name,
                         "mean": np.mean(values), "deviation": np.std(values, ddof=1), "values": values})
    return {"results": rows}


def want_scenes(x, labels, classes, c):
    machine = make_pipeline(Normalizer(), fit_svm(c))
    said, k = cross_val_predict(machine, x, labels, cv=LeaveOneOut()), range(len(classes))
    score = {"accuracy": accuracy_score(labels, said), "per_class": recall_score(labels, said, average="macro"),
             "correct": accuracy_score(labels, said, normalize=False), "videos": len(labels), "alone": 0}
    return {"c": c, "videos": len(labels), "bad": 0,
            "results": [{"label": "label", "classes": len(classes), "chance": 1 / len(classes), "networks": {"trained": score},
                         "class_names": classes, "confusion": confusion_matrix(labels, said, labels=k)}]}


def similarities(a, b):
    """The twelve of docs/method.md."""
    p, q = (np.concatenate([np.maximum(v, 0), np.maximum(-v, 0)]) for v in (a, b))
    size = np.abs(a) + np.abs(b)
    return [a @ b, np.sqrt(p * q).sum(), np.minimum(p, q).sum(), np.minimum(p, q).sum() / np.maximum(p, q).sum(),
            np.corrcoef(a, b)[0, 1], distance.cityblock(a, b), distance.euclidean(a, b), distance.chebyshev(a, b),
            np.sum((a - b) ** 2 / np.where(size > 0, size, 1)), distance.canberra(a, b), distance.braycurtis(p, q),
            distance.jensenshannon(p, q) ** 2]


def want_aslan(x, pairs, view, c):
    x = Normalizer().transform(x)
    table, same = np.array([similarities(x[a], x[b]) for a, b in pairs[:, :2]]), pairs[:, 2]
    folds = pairs[:, 3] if view == 2 else pairs[:, 3] >= 7
    tested, values, truth = [], [], []
    for fold in range(FOLDS) if view == 2 else [True]:
        machine = make_pipeline(StandardScaler(), fit_svm(c)).fit(table[folds != fold], same[folds != fold])
        value, right = machine.decision_function(table[folds == fold]), same[folds == fold]
        tested.append({"accuracy": accuracy_score(right, value > 0), "auc": roc_auc_score(right, value), "pairs": len(right)})
        values.extend(value)
        truth.extend(right)
    accuracies = [fold["accuracy"] for fold in tested]
    wrong, found, _ = roc_curve(truth, values, drop_intermediate=False)
    score = {"accuracy": np.mean(accuracies), "auc": roc_auc_score(truth, values),
             "correct": accuracy_score(truth, np.array(values) > 0, normalize=False), "pairs": len(truth), "folds": tested,
             "roc": np.stack([wrong, found], axis=1)}
    if view == 2:
        score["standard_error"] = np.std(accuracies, ddof=1) / math.sqrt(len(accuracies))
    return {"c": c, "videos": len(set(pairs[:, :2].flat)), "bad": 0, "pairs_left_out": 0, "clips": 0,
            "results": [{"view": view, "networks": {"trained": score}}]}


# ---------------- comparisons ----------------


def compare_features_alone(program, report, videos, ucf101, features):
    """linear and retrieval, their means over splits, scenes, aslan: from the features of one network."""
    x, length, clips = features.mean(axis=1), features.shape[2], features.shape[1]
    with open(program.path("run", "model.safetensors"), "rb") as file:
        about = {"clips": 10, "features": length, "model_sha256": hashlib.sha256(file.read()).hexdigest()}
    source, paths, labels, classes, splits = ucf101
    results = {"linear": [], "retrieval": []}

    def both(got, paths, labels, classes, parts, label, seed=0):
        common = {**about, "train_split": "train", "splits": want_splits(parts, clips)}
        report.compare("linear", got["linear"], {**common, **want_linear(x, labels, classes, parts, label, seed)})
        report.compare("retrieval", got["retrieval"], {**common, **want_retrieval(x, labels, classes, parts, label, paths)})

    for s, (train, test) in enumerate(splits):
        got = program.eval("linear", "retrieval", "--model", "run", "--data", f"{source}{s + 1}", "--name", str(s))
        both(got, paths, labels, classes, {"train": train, "test": test}, "label")
        for protocol in results:
            results[protocol].append(got[protocol])
    measures = {"linear": [("accuracy", lambda of: of["accuracy"])],
                "retrieval": [(f"R@{k}", lambda of, k=k: of["recall"][str(k)]) for k in KS]}
    for protocol, files in results.items():
        got = program.eval_mean([f"run/eval-{protocol}-{s}.json" for s in range(3)])
        report.compare(f"mean of {protocol}", got, {"clips": 10, "features": length, **want_mean(files, measures[protocol])})

    paths, labels, classes, split = make_list(videos)
    parts = {name: np.flatnonzero(split == name) for name in ("train", "test", "val")}
    got = program.eval("linear", "retrieval", "--model", "run", "--data", "made/kinds.csv", "--seed", "3")
    both(got, paths, labels, classes, parts, "kind", seed=3)

    labels, classes = make_yupenn(videos)
    for c in (1.0, 20.0):
        got = program.eval("scenes", "--model", "run", "--data", "YUPENN", "--svm-c", str(c))
        report.compare("scenes", got, {**about, **want_scenes(x, labels, classes, c)})

    pairs, halves = make_aslan(videos), features[:, :: CLIP // 2].mean(axis=1)
    for view, c in ((1, 1.0), (2, 1.0), (2, 0.01)):
        got = program.eval("aslan", "--model", "run", "--videos", "ASLAN", "--pairs", f"view{view}.mat", "--svm-c", str(c))
        report.compare(f"aslan, View {view}", got, {**about, **want_aslan(halves, pairs, view, c)})


def compare_recognition(program, report, ucf101, features):
    """Ten clips and windows, on all three splits of one network: what is in question is the arithmetic."""
    source, _, labels, classes, splits = ucf101
    weight, bias = classifier(program.path("actions", "model.safetensors"))
    logits = features @ weight.T + bias
    scores = {"logits": logits.mean(axis=1), "softmax": softmax(logits[:, ::CLIP], axis=2).mean(axis=1)}
    for averaged, more in (("logits", []), ("softmax", ["--windows"])):
        files = []
        for s, (_, test) in enumerate(splits):
            got = program.eval("recognition", "--model", "actions", "--data", f"{source}{s + 1}", *more,
                               "--name", f"{averaged}-{s}")
            files.append(got)
            result = want_recognition(scores[averaged][test], labels[test], classes)
            report.compare(f"recognition, {averaged}", got, {
                "averaged": averaged, "clips": 0 if more else 10, "features": features.shape[2], "videos": len(test), "bad": 0,
                "unlabelled": 0, "results": [result]})
        got = program.eval_mean([f"actions/eval-recognition-{averaged}-{s}.json" for s in range(3)])
        want = want_mean(files, [("top-1", lambda of: of["accuracy"]), ("top-5", lambda of: of["top5"]),
                                 ("mean over classes", lambda of: of["per_class"])])
        report.compare("mean of recognition", got, {"clips": 0 if more else 10, "features": features.shape[2], **want})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help="build folder with bin/maxgl-cl")
    parser.add_argument("--device", default="auto", help="as maxgl-cl's --device")
    args = parser.parse_args()
    report, started = Report(), time.time()
    with tempfile.TemporaryDirectory(prefix="maxgl-sklearn-") as folder:
        program = Program(args, folder)
        videos = Videos(program)
        ucf101 = make_ucf101(videos)
        small = ["train.steps=12", "objective.hidden=16", "objective.regions=1,1,1"]
        program.train("run", "--data", "made/list.csv", settings=small)
        program.train("actions", "--task", "recognition", "--init", "run", "--data", ucf101[0] + "1", settings=["train.steps=40"])
        compare_features_alone(program, report, videos, ucf101, embed(program, "run"))
        compare_recognition(program, report, ucf101, embed(program, "actions"))
    good = report.print()
    print(f"scikit-learn {sklearn.__version__}, NumPy {np.__version__}, {time.time() - started:.0f} s")
    sys.exit(not good)


if __name__ == "__main__":
    main()
