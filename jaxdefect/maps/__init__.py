"""From images and reconstructions to anomaly maps, tiles, components and boxes."""
