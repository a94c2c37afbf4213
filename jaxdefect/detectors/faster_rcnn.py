"""Faster R-CNN: boxes around defects, each with a score, learned from outlined defects.

A region-proposal network asks of every place and some sizes of box (anchors) whether a defect fits in, and how the box
is to be moved; the best proposals that are not nearly the same are looked at once more, each by the features inside of
it, judged and moved again. Boxes to learn from are those around the pieces of a mask. Supervised: batches carry masks.

Use it where a box for each defect is what the line needs, and hundreds of defects are outlined; for a map take
`segdec`.

Source: Ren, He, Girshick, Sun, "Faster R-CNN: Towards real-time object detection with region proposal networks", 2015;
RoIAlign of He et al., "Mask R-CNN", 2017; region-based methods in the survey of defect detection, Section 3.1.3.
"""

import functools
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxdefect.detector import Batch, Detector, Scores
from jaxdefect.maps import boxes
from jaxdefect.maps.residuals import pad_to_multiple, resize
from jaxdefect.networks.blocks import Conv, ConvNorm, apply
from jaxdefect.networks.convolution import block, max_pool
from jaxdefect.training import optim
from jaxdefect.training.optim import Player

STRIDE = 8  # pixels a side of the image for each of the features
FACTOR = 2 * STRIDE  # images are mirrored up to a multiple of this
HEAD_STEP = np.array([0.1, 0.1, 0.2, 0.2], np.float32)  # of the second move, which is small: as in the published code
LOGITS_INIT = nn.initializers.normal(0.01)  # Section 3.1.3


class Backbone(nn.Module):
    """[B, H, W, C], sides multiples of 16 -> [B, H/4, W/4, widths[1]] and [B, H/8, W/8, widths[2]].

    What is seen at a sixteenth of the size, of the last width, is added at an eighth (a feature pyramid of two levels):
    without, the features would see 50 pixels around, and a defect may have 100.
    """

    widths: tuple[int, int, int, int]

    @nn.compact
    def __call__(self, images: jax.Array, *, train: bool) -> tuple[jax.Array, jax.Array]:
        first, second, third, last = self.widths
        x = ConvNorm(first, 3)(block(images), train=train)  # At full size it would cost more than all the rest.
        fine = max_pool(ConvNorm(second, 3)(x, train=train))
        x = max_pool(ConvNorm(third, 3)(fine, train=train))
        x = ConvNorm(third, 3)(x, train=train)
        around = max_pool(x)
        for _ in range(2):
            around = ConvNorm(last, 3)(around, train=train)
        around = Conv(third, 1, 1, 0, nn.initializers.he_normal())(around)
        return fine, ConvNorm(third, 3)(x + resize(around, *x.shape[1:3]), train=train)


class Regions(NamedTuple):
    """What the network makes of images: N anchors and R regions each."""

    objectness: jax.Array  # [B, N] logits
    deltas: jax.Array  # [B, N, 4] from anchors to proposals
    regions: jax.Array  # [B, R, 4] pixels: the proposals, and the true boxes behind them; zeros where there is none
    logits: jax.Array  # [B, R] of a defect
    refinement: jax.Array  # [B, R, 4] deltas from regions to boxes


class FasterRCNN(nn.Module):
    """[B, H, W, C] in [0, 1] -> Regions.

    truths [B, M, 4] are judged along with the proposals, that there be positives.
    """

    widths: tuple[int, int, int, int]
    sizes: tuple[float, ...]
    ratios: tuple[float, ...]
    hidden: int
    bins: int
    candidates: int
    proposals: int
    overlap: float

    @nn.compact
    def __call__(self, images: jax.Array, truths: jax.Array | None = None, *, train: bool) -> Regions:
        height, width = images.shape[1:3]
        fine, features = Backbone(self.widths)(pad_to_multiple(images, FACTOR), train=train)
        anchors = self.anchors(height, width)
        shared = nn.relu(Conv(self.widths[2], 3, 1, init=nn.initializers.he_normal())(features))
        each = len(self.sizes) * len(self.ratios)
        objectness = Conv(each, 1, 1, 0, LOGITS_INIT)(shared).reshape(len(images), -1)
        deltas = Conv(4 * each, 1, 1, 0, LOGITS_INIT)(shared).reshape(len(images), -1, 4)

        def propose(objectness, deltas):
            best, chosen = jax.lax.top_k(objectness, min(self.candidates, len(anchors)))
            moved = boxes.clip(boxes.decode(deltas[chosen], anchors[chosen]), height, width)
            kept, there = boxes.suppress(moved, best, overlap=self.overlap, most=self.proposals)
            return jnp.where(there[:, None], moved[kept], 0)

        regions = jax.lax.stop_gradient(jax.vmap(propose)(objectness, deltas))
        regions = regions if truths is None else jnp.concatenate([regions, truths], 1)
        align = lambda stride: jax.vmap(functools.partial(boxes.roi_align, stride=stride, bins=self.bins))
        # A defect of 8 pixels is one feature of the second: its border is seen in the first.
        x = jnp.concatenate([align(STRIDE // 2)(fine, regions), align(STRIDE)(features, regions)], -1)
        x = x.reshape(*regions.shape[:2], -1)
        x = nn.relu(nn.Dense(self.hidden, kernel_init=nn.initializers.he_normal())(x))
        out = nn.Dense(5, kernel_init=LOGITS_INIT)(x)
        return Regions(objectness, deltas, regions, out[..., 0], out[..., 1:] * HEAD_STEP)

    def anchors(self, height: int, width: int) -> jax.Array:
        """Those of an image of height x width pixels: [N, 4]."""
        rows, columns = (-(-side // FACTOR) * 2 for side in (height, width))
        return jnp.asarray(boxes.anchors(rows, columns, stride=STRIDE, sizes=self.sizes, ratios=self.ratios))


def matched(candidates: jax.Array, truths: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Of candidates [N, 4] and true boxes [M, 4]: the largest overlap of each candidate [N], the true box that has it
    [N, 4], and whether none overlaps some true box more than this one, bool [N]."""
    overlaps = boxes.iou(candidates, truths)
    best = jnp.max(overlaps, 0)
    return jnp.max(overlaps, 1), truths[jnp.argmax(overlaps, 1)], jnp.any((overlaps == best) & (best > 0), 1)


def balanced(values: jax.Array, positive: jax.Array, negative: jax.Array) -> jax.Array:
    """Half the mean over the positives and half that over the negatives, of [N] each; 0 for a half that is empty.

    The paper draws as many anchors of both at random. This is the mean of all such draws, without one. Regions are not
    balanced: those around a defect that miss it are few, and would weigh too little beside those that hit it.
    """
    return (mean_over(values, positive) + mean_over(values, negative)) / 2


def mean_over(values: jax.Array, chosen: jax.Array) -> jax.Array:
    """The mean of the chosen ones of values [N]; 0 if none is."""
    return jnp.sum(jnp.where(chosen, values, 0)) / jnp.maximum(jnp.sum(chosen), 1)


def smooth_l1(deltas: jax.Array, wanted: jax.Array) -> jax.Array:
    """Huber's loss, slope 1 from a difference of 1 on, summed over the four: [..., 4] -> [...]. Fast R-CNN, Eq. 3."""
    return jnp.sum(optax.huber_loss(deltas, wanted), -1)


def make(
    *,
    widths: tuple[int, int, int, int],
    sizes: tuple[float, ...],
    ratios: tuple[float, ...],
    hidden: int,
    bins: int,
    candidates: int,
    proposals: int,
    proposal_overlap: float,
    positive_overlap: float,
    negative_overlap: float,
    max_boxes: int,
    min_area: int,
    join: int,
    max_detections: int,
    detection_overlap: float,
    min_score: float,
    box_weight: float,
    learning_rate: float,
    decay: float,
    decay_every: int,
) -> Detector:
    """Faster R-CNN with a small backbone. Floats may be tracers (sizes and ratios are no floats, but tuples of them).

    widths: channels at a half, a quarter, an eighth and a sixteenth of the image's size. sizes, ratios: of the
    anchors, see `boxes.anchors`, pixels. hidden: units of the layer that judges a region of bins x bins features.
    candidates: anchors of the highest objectness that are suppressed at an overlap of proposal_overlap to `proposals`.
    positive_overlap, negative_overlap: overlaps with a true box from which on an anchor counts as a defect, and below
    which as background; those between are not learned from, but the best anchor of a true box always counts as a
    defect. In the second stage both are 0.5, as published. max_boxes, min_area, join: of a mask, see
    `boxes.mask_boxes`, pixels; larger defects go first. max_detections: boxes at most, none of which overlaps another
    by more than detection_overlap; Scores.boxes has those that score min_score or more. box_weight: of the smooth L1
    losses beside the cross-entropies. learning_rate: Adam's, multiplied by `decay` after each decay_every steps.

    An image scores as its worst box, and the map is at each pixel the score of the worst box over it. With two
    classes, defect and background, one logit does for the softmax. Defective images without an outline are not
    learned from.
    """
    _check(
        widths=widths, sizes=sizes, ratios=ratios, join=join,
        counts={"hidden": hidden, "bins": bins, "candidates": candidates, "proposals": proposals,
                "max_boxes": max_boxes, "max_detections": max_detections, "decay_every": decay_every},
    )  # fmt: skip
    net = FasterRCNN(
        tuple(widths), tuple(sizes), tuple(ratios), hidden, bins, candidates, proposals, proposal_overlap
    )  # fmt: skip
    adam = optim.adam(optim.step_decay(learning_rate, decay, decay_every))

    def init(key: jax.Array, batch: Batch) -> Player:
        return optim.init_player(adam, net.init(key, batch.image, train=False))

    def losses(output: Regions, truths: jax.Array, anchors: jax.Array) -> dict[str, jax.Array]:
        """Of one image: scalars."""
        overlap, nearest, best = matched(anchors, truths)
        inside, outside = (overlap >= positive_overlap) | best, (overlap < negative_overlap) & ~best
        moves = smooth_l1(output.deltas, boxes.encode(nearest, anchors))
        overlap, nearest, _ = matched(output.regions, truths)
        hit, there = overlap >= 0.5, boxes.area(output.regions) > 0
        refined = smooth_l1(output.refinement / HEAD_STEP, boxes.encode(nearest, output.regions) / HEAD_STEP)
        entropy = lambda logits, yes: optax.sigmoid_binary_cross_entropy(logits, yes.astype(jnp.float32))
        return {
            "objectness": balanced(entropy(output.objectness, inside), inside, outside),
            "proposal": mean_over(moves, inside),
            "classification": mean_over(entropy(output.logits, hit), there),
            "refinement": mean_over(refined, hit),
        }

    def step(state: Player, batch: Batch, key: jax.Array) -> tuple[Player, dict[str, jax.Array]]:
        del key  # Nothing is random once the weights are drawn.
        masks, has_mask = _supervision(batch)
        truths = boxes.mask_boxes(masks, most=max_boxes, min_area=min_area, join=join)
        anchors = net.anchors(*masks.shape[1:])

        def loss(params):
            output, stats = apply(net, params, state.batch_stats, batch.image, truths, train=True)
            parts = jax.vmap(losses, (0, 0, None))(output, truths, anchors)
            parts = {name: jnp.mean(has_mask * values) for name, values in parts.items()}
            moves = box_weight * (parts["proposal"] + parts["refinement"])
            total = parts["objectness"] + parts["classification"] + moves
            return total, (stats, {"loss": total} | parts)

        return optim.update_player(adam, loss, state)

    def score(state: Player, images: jax.Array) -> Scores:
        height, width = images.shape[1:3]
        output, _ = apply(net, state.params, state.batch_stats, images, train=False)
        every = boxes.clip(boxes.decode(output.refinement, output.regions), height, width)
        suppress = lambda every, scores: boxes.suppress(every, scores, overlap=detection_overlap, most=max_detections)
        chosen, there = jax.vmap(suppress)(every, nn.sigmoid(output.logits))
        kept = jnp.take_along_axis(every, chosen[..., None], 1)
        worst = jnp.where(there, jnp.take_along_axis(nn.sigmoid(output.logits), chosen, 1), 0)
        rows = jnp.concatenate([kept, worst[..., None]], -1)
        shown = (worst >= min_score) & there
        return Scores(
            jnp.max(worst, 1), painted(kept, worst, height, width), boxes=jnp.where(shown[..., None], rows, 0)
        )

    return Detector(init, step, score)


def painted(every: jax.Array, scores: jax.Array, height: int, width: int) -> jax.Array:
    """The highest score that touches a pixel, 0 where none does: boxes [B, N, 4], [B, N] -> [B, height, width]."""
    inside = lambda side, start: (
        (every[..., start, None] < jnp.arange(side) + 1) & (jnp.arange(side) < every[..., start + 2, None])
    )
    both = inside(height, 0)[..., :, None] & inside(width, 1)[..., None, :]
    return jnp.max(jnp.where(both, scores[..., None, None], 0), 1)


def _supervision(batch: Batch) -> tuple[jax.Array, jax.Array]:
    """The masks, and [B] float32, 0 for each defective image whose mask is missing."""
    for field in ("mask", "label"):
        if getattr(batch, field) is None:
            raise ValueError(f"the batch has no {field}; faster_rcnn learns from outlined defects: set "
                             "train.supervision = 'masks'")  # fmt: skip
    has_mask = jnp.ones(batch.label.shape) if batch.has_mask is None else batch.has_mask
    return batch.mask, jnp.where(batch.label == 1, has_mask, 1.0)


def _check(*, widths: tuple, sizes: tuple, ratios: tuple, join: int, counts: dict[str, int]) -> None:
    if len(widths) != 4 or min(widths) < 1:
        raise ValueError(f"settings.widths = {widths}; give 4 numbers of channels, such as (16, 32, 64, 64)")
    for field, value, usual in (("sizes", sizes, (16, 32, 64)), ("ratios", ratios, (0.5, 1.0, 2.0))):
        if not len(value) or min(value) <= 0:
            raise ValueError(f"settings.{field} = {value}; give numbers above 0, such as {usual}")
    for field, value in counts.items():
        if value < 1:
            raise ValueError(f"settings.{field} = {value}; give 1 or more")
    if join < 1 or join % 2 == 0:
        raise ValueError(f"data.join = {join}; masks are dilated by an odd number of pixels, such as 7; 1 joins "
                         "nothing")  # fmt: skip
