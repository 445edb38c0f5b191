"""From records to what a reader sees."""

import math
from importlib import import_module

import pytest
from records import put, put_one_real_cell, real

from fedlib.evidence import statistics
from fedlib.evidence.agreement import verdict
from fedlib.evidence.chapter import open_chapter
from fedlib.evidence.claims import above, at_least, at_most, below, near
from fedlib.evidence.report import Archive
from fedlib.evidence.table import Note, Table
from fedlib.grids import Outcome, expand, paper_slugs
from fedlib.validation import ConfigError

# --- statistics --------------------------------------------------------------------------


def test_estimate_of_three_seeds_by_hand():
    found = statistics.estimate([1.0, 2.0, 3.0])
    assert (found.mean, found.n, found.spread) == (2.0, 3, 1.0)


def test_estimate_of_one_seed_has_no_spread():
    found = statistics.estimate([5.0])
    assert (found.mean, found.spread) == (5.0, None)


def test_difference_and_its_combined_standard_error_by_hand():
    ours = statistics.estimate([90.0, 92.0, 94.0])  # the error of its mean is 2 / sqrt(3)
    gap, error = statistics.difference(ours, 91.0, 1.0)
    assert gap == pytest.approx(1)
    assert error == pytest.approx((4 / 3 + 1) ** 0.5)
    assert statistics.difference(statistics.estimate([90.0]), 91.0, 1.0) == (-1.0, None)


@pytest.mark.parametrize(("spread", "width"), [(None, 2.0), (0.5, 2.0), (3.0, 6.0)])
def test_margin(spread, width):
    assert statistics.margin(spread) == width
    assert statistics.agrees(50 + width, 50, spread)
    assert not statistics.agrees(50.001 + width, 50, spread)


# --- the archive -------------------------------------------------------------------------


def test_real_data_come_before_embedded_and_large_scales_before_small(toy, store):
    quick = toy.cells("quick", 1, real)[0]
    paper_glyphs = expand(toy, "paper", 1, "embedded")[0]
    put(store, paper_glyphs, "paper", 0.2)
    assert Archive(toy, store).best("table/mean").data == "embedded glyphs in place of MNIST"
    put(store, quick, "quick", 0.4)
    best = Archive(toy, store).best("table/mean")
    assert (best.scale, best.real, best.accuracy.mean) == ("quick", True, 40.0)
    put(store, toy.cells("paper", 1, real)[0], "paper", 0.9)
    put(store, toy.cells("paper", 2, real)[0], "paper", 0.8)
    best = Archive(toy, store).best("table/mean")
    assert (best.scale, best.seeds, best.accuracy.mean) == ("paper", [1, 2], pytest.approx(85))
    assert best.comparable
    only_quick = Archive(toy, store, scales=("quick",))
    assert only_quick.best("table/mean").scale == "quick"
    assert only_quick.best("table/median") is None


def test_cells_stand_side_by_side_at_the_scale_that_most_have(toy, store):
    keys = ["table/mean", "table/median"]
    assert Archive(toy, store).together(keys) == [None, None]
    put(store, toy.cells("paper", 1, real)[0], "paper", 0.9)
    for cell, accuracy in zip(toy.cells("quick", 1, real)[:2], (0.4, 0.3), strict=True):
        assert cell.key in keys
        put(store, cell, "quick", accuracy)
    found = Archive(toy, store).together(keys)
    assert [(result.scale, result.accuracy.mean) for result in found] == [
        ("quick", 40.0),
        ("quick", 30.0),
    ]
    assert Archive(toy, store).together(keys[:1])[0].scale == "paper"
    put(store, toy.cells("paper", 1, real)[1], "paper", 0.8)
    assert [result.scale for result in Archive(toy, store).together(keys)] == ["paper"] * 2


def test_cells_are_compared_at_a_scale_they_share(toy, store):
    keys = ["table/mean", "table/median"]
    put(store, toy.cells("paper", 1, real)[0], "paper", 0.9)
    assert Archive(toy, store).common(keys) is None
    for cell in toy.cells("quick", 1, real)[:2]:
        put(store, cell, "quick", 0.4)
    assert [result.scale for result in Archive(toy, store).common(keys)] == ["quick", "quick"]
    put(store, toy.cells("paper", 1, real)[1], "paper", 0.8)
    assert [r.accuracy.mean for r in Archive(toy, store).common(keys)] == [90, 80]


def test_runs_that_are_alike_have_the_seeds_that_all_cells_have(toy, store):
    keys = ["table/mean", "table/median"]
    for seed, rules in ((1, ("mean",)), (2, ("mean", "median")), (3, ("median",))):
        for cell in toy.cells("paper", seed, real):
            if cell.key.split("/")[1] in rules:
                put(store, cell, "paper", 0.5 + seed / 10)
    assert [result.seeds for result in Archive(toy, store).common(keys)] == [[1, 2], [2, 3]]
    both = Archive(toy, store).alike(keys)
    assert [(result.seeds, result.accuracy.mean) for result in both] == [([2], 70)] * 2
    assert Archive(toy, store).alike([*keys, "table/trimmed_mean"]) is None
    with pytest.raises(ConfigError, match="seed=1 of table/median is not stored; the seeds are: 2"):
        both[1].of_seeds((1, 2))


def test_records_of_other_configurations_do_not_count(toy, store):
    cell = toy.cells("quick", 1, real)[0]
    put(store, type(cell)(cell.key, cell.config.with_(rounds=3)), "quick", 0.5)
    assert Archive(toy, store).best("table/mean") is None


def test_a_cell_that_the_grid_does_not_have_is_named(toy, store):
    archive = Archive(toy, store)
    message = "cell='table/medean' is none of the 3 cells of toy; did you mean 'table/median'?"
    for ask in (
        lambda: archive.best("table/medean"),
        lambda: archive.held("table/medean"),
        lambda: archive.common(["table/mean", "table/medean"]),
        lambda: archive.together(["table/mean", "table/medean"]),
    ):
        with pytest.raises(ConfigError) as error:
            ask()
        assert str(error.value) == message
    with pytest.raises(ConfigError, match="they look like 'table/mean'"):
        archive.best("0")
    with pytest.raises(ConfigError, match="scales='papr' is unknown"):
        Archive(toy, store, scales=("papr",))


def test_what_an_archive_is_asked_wrongly_is_named(toy, store):
    archive = Archive(toy, store)
    for ask, message in (
        (lambda: archive.cells(5), r"only=5 must be a pattern, such as '\*/rop/\*'"),
        (lambda: archive.coverage(5), "only=5 must be a pattern"),
        (lambda: archive.cells(["*", None]), "must be a pattern"),
        (lambda: archive.best(5), r"cell=5 must be the key of a cell, such as archive.cells\(\)"),
        (lambda: archive.best(["table/mean"]), r"cell=\['table/mean'\] must be the key"),
        (lambda: archive.held(None), "cell=None must be the key"),
        (lambda: archive.seeds(5, "paper"), "cell=5 must be the key"),
        (lambda: archive.seeds("table/mean", 5), "scale=5 is unknown"),
        (lambda: archive.seeds("table/mean", ["paper"]), "scale=.* is unknown"),
        (lambda: archive.results(5), "keys=5 must be keys of cells"),
        (lambda: archive.results("table/mean"), "keys='table/mean' must be keys of cells"),
        (lambda: archive.results([5]), "cell=5 must be the key"),
        (lambda: archive.common("table/mean"), "keys='table/mean' must be keys of cells"),
        (lambda: archive.common([]), r"keys=\[\] must have at least one"),
        (lambda: archive.together(5), "keys=5 must be keys of cells"),
        (lambda: Archive("toy", store), "grid='toy' must be a Grid"),
        (lambda: Archive(toy, "results"), "store='results' must be a Store or None"),
        (lambda: Archive(toy, store, "paper"), "scales='paper' must be a list of scales"),
        (lambda: Archive(toy, store, 5), "scales=5 must be a list of scales"),
        (lambda: Archive(toy, store, [5]), "scales=5 is unknown"),
        (lambda: open_chapter(5, GIVEN), "slug=5 is unknown"),
        (lambda: open_chapter("centered_clipping", "best"), "names='best' must be the names"),
    ):
        with pytest.raises(ConfigError, match=message):
            ask()
    assert archive.together([]) == archive.results([]) == []


def test_an_archive_takes_the_patterns_that_a_grid_takes(toy, store):
    archive = Archive(toy, store)
    every = ["table/mean", "table/median", "table/trimmed_mean"]
    for only in (None, "", [], [""], "*", ["*/t*", "*/me*"]):
        assert archive.cells(only) == every
    assert archive.cells(["*/t*", "*/mean"]) == ["table/mean", "table/trimmed_mean"]
    assert archive.cells("nothing") == []
    assert archive.coverage(["*/t*", "*/mean"]) == "2 cells: 2 not computed"


def test_a_quantity_or_a_seed_that_a_result_has_not_is_named(toy, store):
    put(store, toy.cells("paper", 2, real)[0], "paper", 0.5)
    result = Archive(toy, store).best("table/mean")
    for ask in (result.curve, result.final, result.mean_of):
        with pytest.raises(ConfigError, match=r"quantity='test_acuracy' .* did you mean 'test_acc"):
            ask("test_acuracy")
        with pytest.raises(ConfigError, match="quantity=5 is unknown"):
            ask(5)
    for seed in (1, "2", None):
        with pytest.raises(ConfigError, match=f"seed={seed!r} .* not stored; the seeds are: 2"):
            result.of_seed(seed)
    assert result.of_seed(2).seeds == [2]


def test_the_mean_of_a_quantity_that_is_never_known_is_not_zero(toy, store):
    cell = toy.cells("paper", 1, real)[0]
    put(store, cell, "paper", 0.5, separation=[None, None], part=[None, 0.5])
    result = Archive(toy, store).best("table/mean")
    assert math.isnan(result.mean_of("separation").mean)
    assert math.isnan(result.mean_of("attack_success").mean)
    assert result.mean_of("part").mean == 0.5


def test_a_copy_that_is_not_canonical_gets_no_verdict(toy, store):
    from fedlib.data import DataConfig

    put(store, toy.cells("paper", 1, lambda n: DataConfig(n, "real", "jpeg"))[0], "paper", 0.5)
    best = Archive(toy, store).best("table/mean")
    assert best.data == "MNIST (jpeg)"
    assert verdict(best, 50, None) == "no verdict (paper)"


def test_a_copy_that_is_nearly_canonical_gets_a_verdict_and_its_data_say_so(
    toy, store, monkeypatch
):
    from fedlib.data import DataConfig
    from fedlib.data.catalogue import DATASETS

    nearly = "3 of 70,000 images from JPEG: at most 0.1 points"
    monkeypatch.setitem(DATASETS["mnist"].nearly_canonical, "jpeg", nearly)
    put(store, toy.cells("paper", 1, lambda n: DataConfig(n, "real", "jpeg"))[0], "paper", 0.5)
    best = Archive(toy, store).best("table/mean")
    assert (best.data, best.caveat, best.comparable) == (f"MNIST ({nearly})", nearly, True)
    assert verdict(best, 50, None) == "agrees"


def test_cifar_10_with_images_from_jpeg_counts_as_cifar_10():
    from fedlib.data import DataConfig
    from fedlib.data.datasets import describe, difference_from_canonical

    copy = DataConfig("cifar10", "real", "93 images from JPEG")
    words = "93 of 60,000 images from JPEG: at most 0.2 points"
    assert (describe(copy), difference_from_canonical(copy)) == (f"CIFAR-10 ({words})", words)
    for other in (DataConfig("cifar10", "real", "tiny"), DataConfig("mnist", "real", "canonical")):
        assert difference_from_canonical(other) == ""


def test_verdicts(toy, store):
    assert verdict(None, 50, None) == "not computed"
    put(store, toy.cells("paper", 1, real)[0], "paper", 0.5)
    put(store, toy.cells("quick", 1, real)[1], "quick", 0.5)
    put(store, expand(toy, "paper", 1, "embedded")[2], "paper", 0.5)
    archive = Archive(toy, store)
    assert verdict(archive.best("table/mean"), 51.9, None) == "agrees"
    assert verdict(archive.best("table/mean"), 52.1, None) == "differs"
    assert verdict(archive.best("table/mean"), 52.1, 1.1) == "agrees"
    assert verdict(archive.best("table/median"), 50, None) == "no verdict (quick)"
    assert verdict(archive.best("table/trimmed_mean"), 50, None) == "no verdict (embedded data)"


def test_coverage_and_held_in_words(toy, store):
    put(store, toy.cells("paper", 1, real)[0], "paper", 0.5)
    put(store, toy.cells("quick", 1, real)[0], "quick", 0.5)
    archive = Archive(toy, store)
    assert archive.coverage() == "3 cells: 1 at scale paper (1 seed), 2 not computed"
    assert archive.held("table/mean") == "paper (MNIST, 1 seed); quick (MNIST, 1 seed)"
    assert archive.held("table/median") == ""
    assert archive.coverage("*/mean") == "1 cell: 1 at scale paper (1 seed)"


def test_coverage_names_the_best_scale_first_and_the_range_of_seeds(toy, store):
    put(store, toy.cells("quick", 1, real)[0], "quick", 0.5)
    for seed in (1, 2, 3):
        put(store, toy.cells("paper", seed, real)[1], "paper", 0.5)
    put(store, toy.cells("paper", 1, real)[2], "paper", 0.5)
    assert Archive(toy, store).coverage() == (
        "3 cells: 2 at scale paper (1 to 3 seeds), 1 at scale quick (1 seed)"
    )


def test_curves_turn_none_into_nan(toy, store):
    put(store, toy.cells("paper", 1, real)[0], "paper", 0.5)
    rounds, values = Archive(toy, store).best("table/mean").curve("test_loss")
    assert rounds == [1, 2]
    assert values[0][0] == 2.0
    assert math.isnan(values[0][1])


def test_a_table_escapes_its_cells_in_html():
    table = Table(("a", "b"), (("<x>", "1\n2"),), "c & d", {(0, 1): "agrees"})
    assert "&lt;x&gt;" in table._repr_html_()
    assert '<td class="agrees">1<br>2</td>' in table._repr_html_()
    assert "c &amp; d" in table._repr_html_()
    assert repr(table).splitlines() == ["c & d", "a    b", "<x>  1 | 2"]


def test_a_note_may_have_a_command_that_can_be_copied():
    note = Note("It is missing. This command computes it:", command="python -m fedlib run 'a/*'")
    assert '<pre class="fedlib-command">python -m fedlib run &#x27;a/*&#x27;</pre>' in (
        note._repr_html_()
    )
    assert repr(note).splitlines()[-1] == "python -m fedlib run 'a/*'"
    assert "<pre" not in Note("It is there.")._repr_html_()


def test_columns_of_a_group_stand_below_its_name():
    heads = ("attack", "no defence\nlevel", "\nboundary", "other\nnumber")
    html = Table(heads, (("x", "1", "2", "3"),))._repr_html_()
    assert (
        '<thead><tr><th rowspan="2">attack</th><th colspan="2" scope="colgroup" '
        'class="fedlib-group">no defence</th><th rowspan="2">other<br>number</th></tr>'
        "<tr><th>level</th><th>boundary</th></tr></thead>"
    ) in html
    assert "rowspan" not in Table(("a", "b\nc"), (("1", "2"),))._repr_html_()


# --- the chapter -------------------------------------------------------------------------

GIVEN = {
    "scale": "best", "seeds": None, "device": "auto", "jobs": None, "data": "embedded", "only": "",
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": "papr"}, "did you mean 'paper'"),
        ({"scale": 3}, "scale=3"),
        ({"seeds": "two"}, "seeds='two' must be a whole number"),
        ({"data": "reel"}, "did you mean 'real'"),
        ({"scal": "smoke"}, "parameter='scal' is unknown; did you mean 'scale'"),
        ({"scale": "smoke", "only": "table_v/*"}, "matches none"),
        ({"scale": "smoke", "device": "gpu", "only": "*/0.9"}, "device='gpu'"),
        ({"device": "gpu"}, "device='gpu'"),
        ({"device": 5}, "device=5"),
        ({"only": "table_v/*"}, "only='table_v/\\*' matches none of the"),
        ({"only": ("*/0.9", "table_v/*")}, "only='table_v/\\*' matches none of the"),
        ({"jobs": 0}, "jobs=0 is out of range"),
        ({"jobs": "two"}, "jobs='two' must be"),
        ({"only": 5}, "only=5 must be a pattern"),
        ({"only": {"*/0.9"}}, "must be a pattern"),
        ({"seeds": 0}, "seeds=0"),
        ({"seeds": True}, "seeds=True"),
    ],
)
def test_wrong_chapter_parameters_are_named(monkeypatch, tmp_path, changes, message):
    monkeypatch.setenv("FEDLIB_RESULTS", str(tmp_path))
    put_one_real_cell(tmp_path)
    with pytest.raises(ConfigError, match=message):
        open_chapter("centered_clipping", {**GIVEN, **changes, "_hidden": 1, "In": []})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "parameter 'tau' is missing"),
        ({"tau": "one"}, "tau='one' must be"),
        ({"tau": float("inf")}, "tau=inf"),
        ({"tau": 0.1, "taw": 1}, "parameter='taw' is unknown; did you mean 'tau'"),
    ],
)
def test_wrong_parameters_of_a_demonstration_are_named(monkeypatch, tmp_path, changes, message):
    monkeypatch.setenv("FEDLIB_RESULTS", str(tmp_path))
    put_one_real_cell(tmp_path)
    with pytest.raises(ConfigError, match=message):
        open_chapter("centered_clipping", {**GIVEN, **changes}, demo=("tau",))
    chapter = open_chapter("centered_clipping", {**GIVEN, "tau": 0.1}, demo=("tau",))
    assert chapter.data == "embedded"


def test_best_computes_nothing_and_a_named_scale_its_cells(monkeypatch, tmp_path):
    monkeypatch.setenv("FEDLIB_RESULTS", str(tmp_path))
    put_one_real_cell(tmp_path)
    chapter = open_chapter("centered_clipping", GIVEN)
    assert chapter.banner.warnings == ()
    assert not (tmp_path / "centered_clipping" / "smoke.jsonl").exists()
    chapter = open_chapter(
        "centered_clipping", {**GIVEN, "scale": "smoke", "only": ("*/mnist_noniid/ipm/tm/0.9",)}
    )
    best = chapter.archive.best("table_iv/mnist_noniid/ipm/tm/0.9")
    assert best.scale == "smoke"
    assert chapter.archive.best("table_iv/mnist_noniid/rop/cc_tau1/0.99") is None
    assert "generated data" in chapter.banner.warnings[0]
    assert "embedded glyphs in place of MNIST" in repr(chapter.provenance())


def test_a_chapter_computes_with_the_device_and_the_jobs_that_it_is_given(monkeypatch, tmp_path):
    monkeypatch.setenv("FEDLIB_RESULTS", str(tmp_path))
    asked = []

    def nothing_computed(*_, **options):
        asked.append(options)
        return Outcome()

    monkeypatch.setattr("fedlib.evidence.chapter.run_grid", nothing_computed)
    for jobs in (None, 3):
        given = {"scale": "smoke", "device": "cpu", "jobs": jobs}
        open_chapter("centered_clipping", {**GIVEN, **given})
    assert asked == [{"device": "cpu", "jobs": jobs, "progress": False} for jobs in (None, 3)]


def test_a_range_knows_what_is_in_it_and_how_deep():
    assert (33 in near(35), 37 in near(35), 37.1 in near(35)) == (True, True, False)
    assert (2 in above(2), 2 in at_least(2), 2 in below(2), 2 in at_most(2)) == (False, True) * 2
    assert (near(35).depth(36), near(35).depth(40)) == (1, -3)
    assert (above(2).depth(5), below(2).depth(5)) == (3, -3)
    assert [str(r) for r in (above(0), at_most(2.5), near(35))] == ["> 0", "≤ 2.5", "33 to 37"]


@pytest.mark.parametrize("slug", paper_slugs())
def test_every_claim_takes_accuracies_of_nothing(slug):
    claims = import_module(f"fedlib.papers.{slug}.tables").CLAIMS
    for claim in claims:
        for value in (0.0, math.nan):
            assert isinstance(claim.statistic([value] * len(claim.cells)), float | int), claim.text
