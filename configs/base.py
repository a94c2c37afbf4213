"""What every run has in common. A detector's config starts from this one; nothing has a default anywhere else."""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """All knobs but `settings`, the keyword arguments of the detector."""
    config = ConfigDict()
    config.detector = ""
    config.preset = ""
    config.seed = 0

    config.data = ConfigDict()
    config.data.name = "synthetic"  # a file of data_pipeline/layouts
    config.data.root = ""  # the folder of the images; empty for $JAXDEFECT_DATA/<name>
    config.data.seed = 0  # of the split into training, calibration and test; not changed by `seed`
    config.data.channels = 1  # 1 grey, 3 RGB
    config.data.scale = 1.0  # images are resized by this factor before training and scoring
    config.data.size = 0  # or to so many pixels a side, whatever their shape; 0 leaves them
    config.data.width = 0  # pixels, where images of data.size rows are not to be square
    config.data.calibration = 0.2  # of the training images, held out for thresholds
    config.data.test_good = 0.2  # of the normal images, where the dataset has no test part of its own
    config.data.train_defective = 0.0  # of the defective ones, to learn from, where none are meant for it
    config.data.surface = ""  # keeps the images of one surface alone, where the dataset has several
    config.data.mixed = False  # surfaces are what is told apart: good and defective images of each alike (DAGM_MIX)
    config.data.unseen = ()  # surfaces kept from training that are to raise an alarm, with data.mixed
    config.data.per_kind = 300  # good images, and as many defective ones, of each surface, with data.mixed
    config.data.pooled = False  # split after augmentation, as the DAGM_MIX paper did: copies of an image leak
    config.data.options = ConfigDict()  # of the layout, e.g. data.options.surfaces=(1,2)

    config.train = ConfigDict()
    config.train.steps = 1000
    config.train.batch = 256  # patches per step, over all devices
    config.train.patch = 32  # pixels a side; 0 for whole images, where they have labels
    config.train.feed = "auto"  # resident (on the device), stream (tf.data), auto: resident up to the limit
    config.train.labels = "none"  # what a detector learns from beside good images: none, masks, kinds, surfaces
    config.train.masks = -1  # defective training images whose masks are used, of the others the label alone; -1 all
    config.train.flips = False  # images are also shown mirrored and turned upside down
    config.train.zoom = 0.0  # good images are also shown larger and smaller by up to this share of their size
    config.train.pairs = False  # also draw an image of the other half of the training set (MAA)
    config.train.resident_limit = 2048  # MiB
    config.train.log_every = 50  # steps
    config.train.save_every = 250  # steps, a multiple of log_every
    config.train.validate = False  # each logging also tells the loss on held-out images, which then is what counts:
    config.train.patience = 0  # stop after so many loggings without a lower loss; 0 never
    config.train.restore = "last"  # the state that is evaluated: last, or best (lowest logged loss)

    config.score = ConfigDict()
    config.score.mode = "auto"  # whole, tiled; auto: whole unless there are more than 8 sizes of images
    config.score.tile = 256  # pixels a side
    config.score.overlap = 64  # pixels shared by neighbouring tiles

    config.threshold = ConfigDict()
    # pauta, quantile, false_alarm_rate, all fitted on normal images; f1: best where defective ones are held out, too
    config.threshold.image = "pauta"
    config.threshold.pixel = "pauta"  # or otsu, of each image by itself
    config.threshold.fitted_on = "calibration"  # normal images held out, or train: those trained on
    config.threshold.gammas = (0.0, 1.0, 2.0, 3.0)  # mean + gamma * deviation also judge the images, for comparison
    config.threshold.sigma = 3.0  # pauta: mean + sigma * standard deviation
    config.threshold.quantile = 0.995
    config.threshold.false_alarm_rate = 0.01
    config.threshold.min_area = 0  # smaller defects are dropped, pixels

    config.report = ConfigDict()
    config.report.images = 24  # shown in the report, worst first
    config.report.memory = False  # also tell what scoring one image takes (compiles once more)
    config.report.keep_maps = False  # float maps of all test images, as .npy at original resolution
    return config


def whole_images(detector: str, preset: str) -> ConfigDict:
    """Where detectors start that see whole images at one size, with thresholds fitted as MAA fits them."""
    config = get_config()
    config.detector, config.preset = detector, preset
    config.threshold.fitted_on = "train"
    config.settings = ConfigDict()
    return config


def untrained(detector: str, preset: str) -> ConfigDict:
    """Where detectors start that learn nothing by steps: normal images are looked at once, if at all."""
    config = get_config()
    config.detector, config.preset = detector, preset
    config.train.update(steps=0, batch=8)
    config.settings = ConfigDict()
    return config


def at_size(config: ConfigDict, size: int) -> None:
    """Such a detector is trained on and scores images of so many pixels a side."""
    config.data.size = config.train.patch = config.settings.size = size


def for_two_cores(config: ConfigDict) -> None:
    """What most presets `small` of such a detector have in common: 64 x 64 pixels, a minute or two without a GPU."""
    at_size(config, 64)
    config.train.update(steps=400, batch=16, log_every=20, save_every=200)


def for_tests(config: ConfigDict, size: int) -> None:
    """What every preset `tiny` of such a detector has in common: seconds on one core, no detection."""
    at_size(config, size)
    config.train.update(steps=20, batch=16, log_every=5, save_every=10)
    config.score.update(tile=64, overlap=16)
    config.report.images = 4
