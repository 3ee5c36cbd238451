"""A slice spread over the workers of a Dask cluster on this machine."""

import warnings

import numpy as np
from torch.nn.functional import cross_entropy

import undertow
from tests.landscape.test_slices import GRID, mlp, points
from undertow.landscape import Evaluation, Work


def test_the_workers_of_a_cluster_find_the_same():
    model, batch = mlp(), points()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own, about ports and pools
        from distributed import Client, LocalCluster

        with (
            LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            how = Evaluation(work=Work(stacked=1, executor=client.get_executor()))
            found = undertow.landscape(model, cross_entropy, batch, grid=GRID, how=how)
    here = undertow.landscape(model, cross_entropy, batch, grid=GRID, how=Evaluation(work=Work(stacked=1)))
    np.testing.assert_array_equal(found.losses, here.losses)
