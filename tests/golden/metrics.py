# SPDX-License-Identifier: Apache-2.0
"""What torchmetrics makes of batches of 7, 5 and 1 samples: the value after each, as gathered so far.

usage: python metrics.py      writes metrics.json

"metric" and "options" are the SDK's names. All is in fp64: torchmetrics casts counts to fp32, which is turned off. null is NaN.
Where an option of the SDK has no counterpart (targets and logits of another layout), the script hands torchmetrics its own.
"""

import math
import warnings

import numpy as np
import torch
import torchmetrics as tm
from torchmetrics.functional.regression.spearman import _spearman_corrcoef_compute
from torchmetrics.utilities import dim_zero_cat
from common import made_by, write_json

random = np.random.default_rng(11)
torch.set_default_dtype(torch.float64)
torch.Tensor.float = torch.Tensor.double
warnings.filterwarnings("ignore")

SIZES = (7, 5, 1)
C = 4


def real(*shape, low=-2.0, high=2.0):
    return random.uniform(low, high, shape).round(3).tolist()


def whole(high, *shape, low=0):
    return random.integers(low, high, shape).tolist()


def batches(make):
    return [dict(zip(("input", "target"), make(n))) for n in SIZES]


def finite(value):
    if isinstance(value, list):
        return [finite(item) for item in value]
    return value if math.isfinite(value) else None


def case(name, metric, reference, data, feed=None, read=None, **options):
    """feed: a batch's tensors -> what torchmetrics takes; read: of what it computes."""
    reference, outputs = reference.set_dtype(torch.float64), []
    for batch in data:
        tensors = [torch.from_numpy(np.array(value)) for value in batch.values()]
        reference.update(*(feed(*tensors) if feed else tensors))
        value = reference.compute()
        outputs.append(finite((read(value) if read else value).double().tolist()))
    return {"name": f"{metric}: {name}", "metric": metric, "options": options, "batches": data, "outputs": outputs}


CLASSES = batches(lambda n: (real(n, C), whole(C - 1, n)))  # the last class is predicted, but never right
BINARY = batches(lambda n: (real(n), whole(2, n)))
LABELS = batches(lambda n: (real(n, 3), whole(2, n, 3)))
GRID = batches(lambda n: (real(n, C, 2), whole(C, n, 2, low=-1)))  # -1: ignored
HOLES = batches(lambda n: (real(n), whole(2, n, low=-1)))
TIES = batches(lambda n: (whole(2, n, C), whole(C, n)))
TIES = [{"input": np.array(b["input"], float).tolist(), "target": b["target"]} for b in TIES]
AVERAGES = ("micro", "macro", "weighted", "none")


def class_metrics():
    kinds = {"accuracy": tm.Accuracy, "precision": tm.Precision, "recall": tm.Recall, "f1": tm.F1Score, "specificity": tm.Specificity,
             "jaccard": tm.JaccardIndex}
    cases = []
    for name, make in kinds.items():
        for average in AVERAGES:
            cases.append(case(f"classes, {average}", name, make(task="multiclass", num_classes=C, average=average), CLASSES,
                              classes=C, average=average))
            cases.append(case(f"labels, {average}", name, make(task="multilabel", num_labels=3, average=average), LABELS,
                              classes=3, multilabel=1, average=average))
        cases += [
            case("yes or no", name, make(task="binary"), BINARY, classes=1),
            case("yes or no, threshold 0.3, ignored", name, make(task="binary", threshold=0.3, ignore_index=-1), HOLES, classes=1,
                 threshold=0.3, ignore_index=-1),
            case("positions, ignored", name, make(task="multiclass", num_classes=C, average="macro", ignore_index=-1), GRID,
                 classes=C, average="macro", ignore_index=-1),
            case("an ignored class", name, make(task="multiclass", num_classes=C, average="macro", ignore_index=1), CLASSES,
                 classes=C, average="macro", ignore_index=1),
            case("an ignored class, micro", name, make(task="multiclass", num_classes=C, average="micro", ignore_index=1), CLASSES,
                 classes=C, average="micro", ignore_index=1),
        ]
    for name in ("accuracy", "precision", "recall", "f1"):
        for average in AVERAGES if name == "accuracy" else ("macro",):
            cases.append(case(f"top 2, {average}", name, kinds[name](task="multiclass", num_classes=C, average=average, top_k=2), CLASSES,
                              classes=C, average=average, top_k=2))
    return cases + [
        case("by default micro", "accuracy", tm.Accuracy(task="multiclass", num_classes=C, average="micro"), CLASSES, classes=C),
        case("by default macro", "f1", tm.F1Score(task="multiclass", num_classes=C, average="macro"), CLASSES, classes=C),
        case("beta 2", "f_beta", tm.FBetaScore(task="multiclass", num_classes=C, beta=2.0, average="macro"), CLASSES, classes=C, beta=2.0),
        case("beta 0.5, yes or no", "f_beta", tm.FBetaScore(task="binary", beta=0.5), BINARY, classes=1, beta=0.5),
        case("classes", "stat_scores", tm.StatScores(task="multiclass", num_classes=C, average="none"), CLASSES, classes=C),
        case("labels", "stat_scores", tm.StatScores(task="multilabel", num_labels=3, average="none"), LABELS, classes=3, multilabel=1),
        case("the first of equals", "accuracy", tm.Accuracy(task="multiclass", num_classes=C, average="none"), TIES, classes=C,
             average="none"),
    ]


def matrices():
    def make(normalize=None):
        return tm.ConfusionMatrix(task="multiclass", num_classes=C, normalize=normalize)

    perfect = [{"input": [[1.0, 0.0], [2.0, 1.0]], "target": [0, 0]}, {"input": [[0.0, 1.0]], "target": [1]}]
    wrong = [{"input": [[0.0, 1.0], [1.0, 2.0]], "target": [0, 0]}, {"input": [[1.0, 0.0]], "target": [1]}]
    return [
        case("classes", "confusion", make(), CLASSES, classes=C),
        *(case(f"normalized by {how}", "confusion", make(how), CLASSES, classes=C, normalize=how) for how in ("true", "pred", "all")),
        case("yes or no, ignored", "confusion", tm.ConfusionMatrix(task="binary", ignore_index=-1), HOLES, classes=1, ignore_index=-1),
        case("positions, ignored", "confusion", tm.ConfusionMatrix(task="multiclass", num_classes=C, ignore_index=-1), GRID, classes=C,
             ignore_index=-1),
        *(case(str(weights), "kappa", tm.CohenKappa(task="multiclass", num_classes=C, weights=weights), CLASSES, classes=C,
               weights=["none", "linear", "quadratic"].index(weights)) for weights in ("none", "linear", "quadratic")),
        case("yes or no", "kappa", tm.CohenKappa(task="binary"), BINARY, classes=1),
        case("classes", "matthews", tm.MatthewsCorrCoef(task="multiclass", num_classes=C), CLASSES, classes=C),
        case("yes or no", "matthews", tm.MatthewsCorrCoef(task="binary"), BINARY, classes=1),
        case("all right", "matthews", tm.MatthewsCorrCoef(task="multiclass", num_classes=2), perfect, classes=2),
        case("all wrong", "matthews", tm.MatthewsCorrCoef(task="multiclass", num_classes=2), wrong, classes=2),
    ]


def curves():
    cases = []
    p = [{"input": np.linspace(0, 1, 2 * n + 1)[1::2].round(3).tolist(), "target": whole(2, n)} for n in SIZES]
    extreme = [{"input": [-800.0, 800.0, 0.0, 40.0], "target": [0, 1, 1, 0]}, {"input": [700.0], "target": [1]}]
    for name, make in {"auroc": tm.AUROC, "average_precision": tm.AveragePrecision}.items():
        for average in ("macro", "weighted", "none"):
            cases.append(case(f"classes, {average}", name, make(task="multiclass", num_classes=C, average=average, thresholds=20), CLASSES,
                              feed=lambda x, y: (x.softmax(1), y), classes=C, average=average, thresholds=20))
        for average in AVERAGES:
            cases.append(case(f"labels, {average}", name, make(task="multilabel", num_labels=3, average=average, thresholds=20), LABELS,
                              feed=lambda x, y: (x.sigmoid(), y), classes=3, multilabel=1, average=average, thresholds=20))
        cases += [
            case("yes or no", name, make(task="binary", thresholds=50), BINARY, feed=lambda x, y: (x.sigmoid(), y), classes=1, thresholds=50),
            case("yes or no, ignored", name, make(task="binary", thresholds=50, ignore_index=-1), HOLES,
                 feed=lambda x, y: (x.sigmoid(), y), classes=1, thresholds=50, ignore_index=-1),
            case("probabilities", name, make(task="binary", thresholds=7), p, classes=1, thresholds=7, probabilities=1),
            case("positions, ignored", name, make(task="multiclass", num_classes=C, thresholds=20, ignore_index=-1), GRID,
                 feed=lambda x, y: (x.softmax(1), y), classes=C, thresholds=20, ignore_index=-1),
            case("large logits", name, make(task="binary", thresholds=11), extreme, feed=lambda x, y: (x.sigmoid(), y), classes=1,
                 thresholds=11),
        ]
    return cases + exact_curves()


def exact_curves():
    """torchmetrics' own default: every sample is kept. Scores of one decimal have ties."""
    cases, room = [], sum(SIZES) + 2
    tied = batches(lambda n: (np.array(real(n)).round(0).tolist(), whole(2, n)))
    tied_labels = batches(lambda n: (np.array(real(n, 3)).round(0).tolist(), whole(2, n, 3)))
    one_kind = [{"input": real(4), "target": [1, 1, 1, 1]}, {"input": real(2), "target": [1, 0]}]
    for name, make in {"auroc": tm.AUROC, "average_precision": tm.AveragePrecision}.items():
        for average in ("macro", "weighted", "none"):
            cases.append(case(f"exact, classes, {average}", name, make(task="multiclass", num_classes=C, average=average), CLASSES,
                              feed=lambda x, y: (x.softmax(1), y), classes=C, average=average, capacity=room))
        for average in AVERAGES:
            cases.append(case(f"exact, labels, {average}", name, make(task="multilabel", num_labels=3, average=average), tied_labels,
                              feed=lambda x, y: (x.sigmoid(), y), classes=3, multilabel=1, average=average, capacity=room))
        cases += [
            case("exact, yes or no", name, make(task="binary"), BINARY, feed=lambda x, y: (x.sigmoid(), y), classes=1, capacity=room),
            case("exact, just room enough", name, make(task="binary"), BINARY, feed=lambda x, y: (x.sigmoid(), y), classes=1,
                 capacity=sum(SIZES)),
            case("exact, ties", name, make(task="binary"), tied, feed=lambda x, y: (x.sigmoid(), y), classes=1, capacity=room),
            case("exact, ignored", name, make(task="binary", ignore_index=-1), HOLES, feed=lambda x, y: (x.sigmoid(), y), classes=1,
                 ignore_index=-1, capacity=room),
            case("exact, positions, ignored", name, make(task="multiclass", num_classes=C, ignore_index=-1), GRID,
                 feed=lambda x, y: (x.softmax(1), y), classes=C, ignore_index=-1, capacity=2 * room),
            case("exact, one kind at first", name, make(task="binary"), one_kind, feed=lambda x, y: (x.sigmoid(), y), classes=1,
                 capacity=room),
        ]
    return cases


class Spearman(tm.SpearmanCorrCoef):
    """Without the 1e-6 that torchmetrics adds to the divisor."""

    def compute(self):
        return _spearman_corrcoef_compute(dim_zero_cat(self.preds), dim_zero_cat(self.target), eps=0.0)


def regression():
    # The first batch alone has two samples at least, which R2 asks for.
    flat, table = batches(lambda n: (real(n), real(n))), batches(lambda n: (real(n, 3), real(n, 3)))
    above = batches(lambda n: (real(n, low=0), real(n, low=0)))
    far = batches(lambda n: ((1e3 + np.array(real(n))).round(3).tolist(), (2e3 + np.array(real(n))).round(3).tolist()))
    constant = batches(lambda n: (real(n), [0.5] * n))
    same = [{"input": b["input"], "target": b["input"]} for b in flat]
    simple = {"mae": tm.MeanAbsoluteError, "mse": tm.MeanSquaredError, "mape": tm.MeanAbsolutePercentageError,
              "smape": tm.SymmetricMeanAbsolutePercentageError, "log_cosh": tm.LogCoshError, "pearson": tm.PearsonCorrCoef, "r2": tm.R2Score,
              "explained_variance": tm.ExplainedVariance}
    cases = [case("one output", name, make(), flat, outputs=1) for name, make in simple.items()]
    cases += [case("far from 0", name, simple[name](), far, outputs=1) for name in ("pearson", "mape", "smape")]
    for name, make in {"r2": tm.R2Score, "explained_variance": tm.ExplainedVariance}.items():
        cases += [case(how, name, make(multioutput=how), table, outputs=3, multioutput=i)
                  for i, how in enumerate(("uniform_average", "raw_values", "variance_weighted"))]
        cases += [case("a constant target", name, make(), constant, outputs=1), case("all right", name, make(), same, outputs=1)]
    return cases + [
        case("root", "rmse", tm.MeanSquaredError(squared=False), flat, outputs=1),
        case("all elements", "mae", tm.MeanAbsoluteError(), table, outputs=1),
        case("three outputs", "mse", tm.MeanSquaredError(num_outputs=3), table, outputs=3),
        case("three outputs", "mae", tm.MeanAbsoluteError(num_outputs=3), table, outputs=3),
        case("three outputs", "pearson", tm.PearsonCorrCoef(num_outputs=3), table, outputs=3),
        case("all samples", "spearman", Spearman(), flat, capacity=13),
        case("ties", "spearman", Spearman(), batches(lambda n: (np.array(real(n)).round(0).tolist(), real(n))), capacity=20),
        case("numbers above 0", "msle", tm.MeanSquaredLogError(), above, outputs=1),
        case("zero targets", "mape", tm.MeanAbsolutePercentageError(), [{"input": [0.5, 1.0], "target": [0.0, 2.0]}], outputs=1),
        case("large errors", "log_cosh", tm.LogCoshError(), [{"input": [300.0, -400.0], "target": [0.0, 1.0]}], outputs=1),
    ]


def means():
    values, weighted = [{"input": real(n, 2)} for n in SIZES], batches(lambda n: (real(n, 2), real(n, 2, low=0)))
    tokens = batches(lambda n: (real(n, 3, C), whole(C, n, 3, low=-1)))
    plain = batches(lambda n: (real(n, 3, C), whole(C, n, 3)))
    shares = batches(lambda n: (real(n, 3, low=0), real(n, 3, low=0.1)))
    shares[0]["input"][1] = [0.0, 1.0, 0.0]
    vectors = batches(lambda n: (real(n, 3), real(n, 3)))
    return [
        case("values", "mean", tm.MeanMetric(), values), case("weighted", "mean", tm.MeanMetric(), weighted),
        case("values", "sum", tm.SumMetric(), values), case("values", "min", tm.MinMetric(), values),
        case("values", "max", tm.MaxMetric(), values),
        case("tokens", "perplexity", tm.Perplexity(), plain),
        case("tokens, ignored", "perplexity", tm.Perplexity(ignore_index=-1), tokens, ignore_index=-1),
        case("distributions", "kl_divergence", tm.KLDivergence(), shares),
        case("vectors", "cosine_similarity", tm.CosineSimilarity(reduction="mean"), vectors),
        case("classes", "hinge", tm.HingeLoss(task="multiclass", num_classes=C), CLASSES),
    ]


CASES = [*class_metrics(), *matrices(), *curves(), *regression(), *means()]
assert len({entry["name"] for entry in CASES}) == len(CASES)
write_json("metrics.json", made_by("metrics.py") | {"torchmetrics": tm.__version__}, "cases", CASES)
