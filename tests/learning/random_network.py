"""A network of random weights in double precision, so that the order of sums shows in the 15th digit."""

import torch

from intergreen.agents.learning.network import SignalNetwork


def random_network(blocks, width, seed):
    torch.manual_seed(seed)
    network = SignalNetwork(blocks, width=width).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0.0, 0.5)
    return network
