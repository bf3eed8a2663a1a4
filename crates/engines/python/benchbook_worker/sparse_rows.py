"""Products by a right factor of which a share is zero: CSR of PyTorch, and of SciPy."""


def torch_csr(setting, inputs):
    """An output a row, as layers keep their weights; rows of the left factor lie side by side, as MKL wants them."""
    rows, weights = inputs["a"], inputs["b"].t().contiguous().to_sparse_csr()
    return lambda: (weights @ rows.t()).t()


def scipy_csr(setting, inputs):
    from scipy.sparse import csr_array

    rows, weights = inputs["a"], csr_array(inputs["b"].T)
    return lambda: (weights @ rows.T).T
