from tests.tiny import whole

TINY = whole(16) | {
    "data.channels": 1, "settings.width": 2, "settings.dense": 16, "settings.latent": 8, "settings.learning_rate": 5e-3,
    "settings.decay_every": 10, "settings.box": 3,
}  # fmt: skip
