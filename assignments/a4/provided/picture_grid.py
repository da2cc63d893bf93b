"""Features of pictures that need no training: what a grid of 4 x 4 fields shows, made coarse and mixed."""

import torch
from torch.nn import functional as F


class PictureGrid(torch.nn.Module):
    """Takes the place of an ImageEncoder. Pictures (N, 3, 112, 112), uint8 or floats in 0 ... 1 -> (N, 400, 4, 4).

    Each field of 28 x 28 pixels is averaged down to 8 x 8, three colours. Every field has a mixture of its own, always
    the same, of these 192 numbers: so even the mean over the fields still tells one picture from another.
    """

    out_channels = 400
    FIELDS, COARSE, SCALE = 4, 8, 4.0

    def __getattr__(self, name):
        # Who changes the ImageEncoder may call the number of channels otherwise.
        return self.out_channels if "channel" in name else super().__getattr__(name)

    def __init__(self, *ignored, **settings):
        super().__init__()
        numbers = 3 * self.COARSE**2
        generator = torch.Generator().manual_seed(0)
        mix = torch.randn(self.FIELDS**2, numbers, self.out_channels, generator=generator)
        self.register_buffer("mix", mix * self.SCALE / numbers**0.5)

    def forward(self, images):
        images = images.float() / 255 if images.dtype == torch.uint8 else images
        N, G, K = len(images), self.FIELDS, self.COARSE
        coarse = F.adaptive_avg_pool2d(images, G * K)
        coarse = coarse - coarse.mean(dim=(2, 3), keepdim=True)
        fields = coarse.view(N, 3, G, K, G, K).permute(0, 2, 4, 1, 3, 5).reshape(N, G * G, 3 * K * K)
        return torch.einsum("ngd,gdc->ncg", fields, self.mix).view(N, self.out_channels, G, G)


class PictureExtractor(PictureGrid):
    """The same in the place of 2020's FeatureExtractor: (N, 1280, 4, 4), or (N, 1280) where it is to pool them."""

    out_channels = 1280

    def __init__(self, pooling=False, *ignored, **settings):
        super().__init__()
        self.pooling = pooling

    def extract_mobilenet_feature(self, img, verbose=False):
        with torch.no_grad():
            features = self(img)
        return features.mean(dim=(2, 3)) if self.pooling else features
