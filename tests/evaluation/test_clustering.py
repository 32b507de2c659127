"""Measures of clusters, against small cases by hand and all matchings tried."""

from itertools import permutations

import numpy as np
import pytest
import torch

from vaecourse.evaluation import clustering


def test_a_case_by_hand():
    cluster = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2])
    label = torch.tensor([1, 1, 0, 1, 1, 0, 2, 2])
    assert clustering.confusion(cluster, label).tolist() == [[1, 2, 0], [1, 2, 0], [0, 0, 2]]
    # Purity lets clusters 0 and 1 both be label 1; the one-to-one match does not.
    assert clustering.purity(cluster, label) == pytest.approx(6 / 8)
    assert clustering.hungarian_accuracy(cluster, label) == pytest.approx(5 / 8)
    assert clustering.match(cluster, label)[2] == 2
    assert clustering.occupancy(cluster, 4).tolist() == [3 / 8, 3 / 8, 2 / 8, 0]


def test_hungarian_accuracy_is_the_best_of_all_matchings():
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        cluster, label = torch.randint(0, 4, (2, 30), generator=generator)
        best = max(
            (torch.tensor(order)[cluster] == label).double().mean().item()
            for order in permutations(range(4))
        )
        assert clustering.hungarian_accuracy(cluster, label) == pytest.approx(best)
        assert best <= clustering.purity(cluster, label)


def test_renaming_clusters_changes_nothing_and_the_labels_themselves_score_one():
    label = torch.arange(40) % 5
    renamed = torch.tensor([3, 0, 4, 1, 2])[label]
    for cluster in (label, renamed):
        assert clustering.hungarian_accuracy(cluster, label) == 1
        assert clustering.purity(cluster, label) == 1


def test_one_point_a_cluster_is_pure_but_not_accurate():
    label = torch.arange(40) % 4
    cluster = torch.arange(40)
    assert clustering.purity(cluster, label) == 1
    assert clustering.hungarian_accuracy(cluster, label) == pytest.approx(4 / 40)
    assert (clustering.match(cluster, label) == -1).sum() == 36


def test_bad_arguments_are_refused_in_a_sentence():
    label = torch.tensor([0, 1])
    whole = "it must hold whole numbers of at least 0; kinds, words say, become such numbers by "
    for wrong, fault in (
        (label / 2, f"cluster has values that are no whole numbers; {whole}"),
        (["a", "b"], f"cluster has values that are no whole numbers; {whole}"),
        (label - 1, f"cluster has values from -1 to 0; {whole}"),
        (label[:, None], r"cluster has shape \[2, 1\]; it must be \[N\] with N > 0: cluster.fla"),
        (label[:0], r"cluster has shape \[0\]; it must be \[N\] with N > 0\."),
    ):
        with pytest.raises(ValueError, match=f"^{fault}"):
            clustering.purity(wrong, label)
    for measure in (clustering.purity, clustering.hungarian_accuracy, clustering.match):
        with pytest.raises(ValueError, match=r"^label has shape \[2\]; it must be \[3\], as clus"):
            measure(torch.tensor([0, 1, 1]), label)
    with pytest.raises(ValueError, match="cluster goes up to 1; with num_clusters = 1"):
        clustering.occupancy(label, 1)


@pytest.mark.parametrize("read", [list, np.array, lambda x: np.array(x, np.uint8)])
def test_labels_may_be_what_data_may_be(read):
    cluster = [9, 9, 0, 200, 200, 9]
    label = [20, 20, 1, 0, 2, 1]
    assert clustering.purity(read(cluster), read(label)) == pytest.approx(4 / 6)
    assert clustering.hungarian_accuracy(read(cluster), torch.tensor(label)) == pytest.approx(4 / 6)
    assert clustering.occupancy(read(cluster), 201)[9] == 0.5


def test_ids_are_as_good_as_small_numbers():
    generator = torch.Generator().manual_seed(0)
    cluster, label = torch.randint(0, 4, (2, 30), generator=generator)
    for measure in (clustering.purity, clustering.hungarian_accuracy):
        assert measure(cluster * 10**9, label * 10**9) == measure(cluster, label)
    with pytest.raises(ValueError, match="^cluster goes up to 3 and label to 3000000000, a table"):
        clustering.match(cluster, label * 10**9)
