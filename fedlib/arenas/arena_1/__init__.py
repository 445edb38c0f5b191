"""The first version of the arena's protocol: Fashion-MNIST, a small network and 25 clients."""
