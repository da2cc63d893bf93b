def nothing(self, x, *_, **__):
    return torch.zeros_like(x)


for part in (MultiHeadAttention, FeedForwardBlock, LayerNormalization, EncoderBlock, DecoderBlock):
    part.forward = nothing
