"""Which test runs each command line of README and manual, or what it needs that no test has."""

#: Run by `test_command_lines.py` in seconds each, and the exit code of each.
QUICK = {
    "derca analyze sim/tasksets/wcets.toml": 0,
    "derca compare sim/tasksets/wcets.toml --json": 0,
    "derca convert sim/tasksets/wcets.toml -o jobs.csv": 0,
    "derca convert sim/tasksets/wcets.toml -o wcets.xml": 0,
    "derca convert wcets.xml --every 100 -o again.toml": 0,
    "derca analyze sim/tasksets/wcets.toml --csv bounds.csv": 0,
    "derca compare sim/tasksets/wcets.toml --csv -": 0,
    "derca view sim/tasksets/wcets.toml --policy edf --policy dm": 0,
    "derca cache": 0,
    "derca doctor": 0,
    "derca import sim/networks/anomaly_detection.tflite": 0,
    "derca import sim/networks/anomaly_detection.tflite --platform sim/platforms/tflite.toml --batch 8": 0,
    "derca init drone": 0,
    "derca init figures --sample wcets": 0,
}
#: Run by the same test with `--full`, in minutes each.
FULL = {
    "derca analyze sim/tasksets/demo.toml --points": 0,
    "derca analyze sim/tasksets/demo.toml --policy dm": 0,
    "derca analyze sim/tasksets/demo.toml --strategy lw": 1,
    "derca tables sim/tasksets/demo.toml -o out/tables": 0,
    "derca simulate sim/tasksets/demo.toml --runs 200 --json": 0,
    "derca build --board icebreaker": 0,
    "derca build --board orangecrab-25f": 0,
    "derca build --board ulx3s-85f": 0,
    "derca bench analysis --seconds 1 --no-figure --json": 0,
    "derca bench data --only preemption": 0,
    "derca bench data --only preemption --json": 0,
    "derca bench simulation sim/tasksets/shapes.toml --cycles 2000 --json": 0,
    "derca compare sim/tasksets/demo.toml": 0,
    "derca generate --split -o out/hw": 0,
    "derca generate -o out/hw": 0,
    "derca generate sim/tasksets/demo.toml --strategy if --target ecp5 -o out/demo_hw": 0,
    "derca host sim/tasksets/digits_tiny.toml --board icebreaker --sim": 0,
    "derca host sim/tasksets/demo.toml --sim": 0,
    "derca ip --board vck190 -o out/vck190": 0,
    "derca ip --board zcu104 -o out/zcu104": 0,
    "derca ip sim/tasksets/demo.toml --board arty-a7-100 -o out/arty": 0,
    "derca reproduce fig11a": 0,
    "derca view sim/tasksets/demo.toml": 0,
    "derca view sim/tasksets/demo.toml --strategy lw --strategy joint": 0,
    "derca reproduce fig11b --size quick": 0,
    "derca run sim/tasksets/demo.toml --handshake aw-with-w,late": 0,
    "derca run sim/tasksets/demo.toml --jitter 40 --stall 0.2 --seed 7": 0,
    "derca run sim/tasksets/demo.toml --pipeline lockstep --horizon 100000 -o out/lockstep": 0,
    "derca run sim/tasksets/demo.toml --policy dm": 0,
    "derca run sim/tasksets/demo.toml --scheduler scan --release swept": 0,
    "derca run sim/tasksets/demo.toml --strategy np --json": 1,
    "derca simulate sim/tasksets/demo.toml --strategy lw --horizon 1000000": 1,
    "derca sweep sim/sweeps/latency.toml --jobs 8 -o out/latency": 0,
    "derca sweep sim/sweeps/reference.toml": 0,
    "derca sweep sim/sweeps/utilisation.toml": 0,
    "derca sweep sim/sweeps/utilisation.toml --policy edf --policy dm": 0,
}
_GOLDEN = "cli/test_golden.py::test_the_demo_prints_its_tables"
_SAMPLES = "cli/test_samples.py::test_results_of_a_run_are_those_of_litert"
_REPORT = "cli/test_cli.py::test_report_prints_a_table_and_how_to_make_it_again"
_GROWTH = "cli/test_report.py::test_growth_tables_hold_a_row_per_module_and_a_column_per_point"
_REFERENCE = "cli/test_report.py::test_reference_shows_both_sides"
_CONTROL = "cli/test_bench.py::test_cycles_at_the_ports_are_as_declared"
_BUILD = "flow/test_build.py::test_interrupted_resumed_repeated_and_loaded"
_BOARD = "test_tutorials.py::test_a_tutorial_leads_where_it_says"
_OWN_IP = "flow/test_ip.py::test_a_board_of_a_user_is_packaged"
_ESTIMATE = "flow/test_estimate.py::test_the_command_fits_writes_and_judges"
_HISTORY = "cli/test_history.py::test_lines_are_appended_and_growth_needs_a_reason"
_UTILISATION = "cli/test_bench_data.py::test_layers_are_measured_beside_their_roofline"
_VIEW = "cli/test_view.py::test_a_folder_and_a_task_set_give_the_same_run"
_EXPLORE = "flow/test_explore.py::test_a_search_leaves_its_best_platform_which_is_proved"
#: Run by another test: as it stands, or, where it would take hours, on smaller input.
BY_TEST = {
    "./scripts/bootstrap": "cli/test_cli.py::test_bootstrap_names_every_missing_tool_on_a_line_of_its_own",
    "./scripts/campaign --count 500 --handshake": "system/test_campaign.py",
    "./scripts/demo": "test_command_lines.py::test_the_demo_of_the_readme_runs",
    "./scripts/demo tinyml": "system/test_tinyml.py",
    "./scripts/manual": "test_manual.py::test_the_manual_builds_without_a_warning",
    "./scripts/prove \"memory interface\"": "hw/test_proofs.py::test_proof",
    "./scripts/prove bug:": "hw/test_proofs.py::test_a_bug_can_still_be_planted",
    "./scripts/test": "test_command_lines.py",  # which it runs
    "./scripts/train_digits": "sim/test_networks.py",
    "PYTHONPATH=.:sim:cocotb_tests pytest -s -m full cocotb_tests/system/test_tinyml.py": "system/test_tinyml.py",
    "PYTHONPATH=.:sim:cocotb_tests python -m campaigns.histories --count 2000 --seed 5001":
        "system/test_histories.py::test_more_random_histories",
    "PYTHONPATH=.:sim:cocotb_tests python cocotb_tests/system/test_pipelines.py": "system/test_pipelines.py",
    "PYTHONPATH=.:sim:cocotb_tests python -m campaigns.large_networks --rtl": "system/test_large_networks.py",
    "PYTHONPATH=.:sim:cocotb_tests python -m campaigns.networks --count 21":
        "system/test_network_campaign.py::test_networks_on_the_rtl",
    "pytest -s cocotb_tests/system/test_trained_networks.py": "system/test_trained_networks.py",
    "pytest cocotb_tests/hw/board/test_link.py": "hw/board/test_link.py",
    "derca bench analysis": "test_command_lines.py::test_a_command_of_minutes_runs",
    "derca bench control": _CONTROL,
    "derca bench control --kind scan --kind swept --tasks 16,1024 --json": _CONTROL,
    "derca bench control --quick": _CONTROL,
    "derca bench data": _UTILISATION,
    "derca bench data --full --only utilisation": _UTILISATION,
    "derca bench data --full -o out/data.json": _UTILISATION,
    "derca bench data --only model --runs 500":
        "cli/test_bench_data.py::test_the_model_is_exact_and_a_difference_is_seen",
    "derca bench estimate": _ESTIMATE,
    "derca bench estimate --family ecp5": _ESTIMATE,
    "derca bench estimate --fit": _ESTIMATE,
    "derca bench history": _HISTORY,
    "derca bench history --record": _HISTORY,
    'derca bench history --record --because "a second bank for parked sums"': _HISTORY,
    "derca bench simulation": "cli/test_bench.py::test_both_simulators_write_the_same_events",
    "derca build --board icebreaker --run": "flow/test_build.py::test_an_ice40_is_packed_by_its_own_tools",
    "derca build --board ulx3s-85f-tinyml --run --seeds 1": _BUILD,
    "derca build sim/tasksets/demo.toml --board ulx3s-85f --run": _BUILD,
    "derca build sim/tasksets/demo.toml --board ulx3s-85f --run --seeds 8 -o out/demo_board": _BUILD,
    "derca build --board icebreaker --run --load": _BUILD,
    "derca build --board ulx3s-25f --run --load": _BUILD,
    "derca build --board my.toml": _BOARD,
    "derca build taskset.toml --board my.toml --platform platform.toml":
        "flow/test_build.py::test_a_missed_clock_rate_is_told_with_its_path",
    "derca ip sim/tasksets/demo.toml --board zcu102.toml -o out/zcu102": _OWN_IP,
    "derca ip taskset.toml --board my.toml --platform platform.toml -o out/mine": _OWN_IP,
    "derca host taskset.toml --board my.toml --sim": _BOARD,
    "derca host drone/taskset.toml --board my.toml --sim": _BOARD,
    "derca init drone --sample digits_small": _BOARD,
    "derca init sim --sample all": "cli/test_project.py::test_examples_run_outside_of_a_checkout",
    "derca cache --clear --older 30": "flow/test_caches.py",
    "derca explore sim/tasksets/demo.toml --device lfe5u-85f": _EXPLORE,
    "derca explore sim/tasksets/demo.toml --device lfe5u-85f --synthesise 2": _EXPLORE,
    "derca explore sim/tasksets/demo.toml --device lfe5u-85f --policy dm":
        "cli/test_policies.py::test_an_exploration_proves_under_the_policy",
    "derca view out/demo/inside --perfetto out/trace.json": _VIEW,
    "derca view out/demo/np out/demo/lw out/demo/inside --open": _VIEW,
    "derca view sim/tasksets/demo.toml --strategy np --strategy joint --perfetto out/trace.json": _VIEW,
    "derca explore sim/tasksets/demo.toml --board ulx3s-85f --clock 25 --synthesise 2": _EXPLORE,
    "derca host sim/tasksets/digits_tiny.toml --board icebreaker --sim --netlist":
        "system/test_board_host.py::test_the_netlist_does_what_the_rtl_does",
    "derca import digits.onnx --quantize --calibrate samples.npz -o int8.onnx":
        "cli/test_pytorch.py::test_the_documented_way",
    "derca import float.onnx --quantize --calibrate samples.npz -o int8.onnx":
        "cli/test_import.py::test_a_float_model_is_quantised_and_can_run",
    "derca report --board icebreaker --csv area.csv":
        "flow/test_estimate.py::test_the_estimate_of_a_board_against_its_netlist",
    "derca report --target ecp5": _REPORT,
    "derca report --target ultrascale --platform sim/platforms/demo.toml": _REPORT,
    "derca report --target ultrascale --platform sim/platforms/demo.toml --device xcvc1902 --detail "
    "-o out/vck190.tex": _REPORT,
    "derca report --target ecp5 --growth tasks -o out/tasks.svg -o out/tasks.csv": _GROWTH,
    "derca report --target ecp5 --platform sim/platforms/demo.toml --fmax --seeds 8 --run":
        "cli/test_report.py::test_clock_rates_are_measured_only_when_asked",
    "derca report --target ultrascale --platform sim/platforms/demo.toml --growth bus -o growth-bus.svg": _GROWTH,
    "derca report --target ultrascale --platform sim/platforms/reference-scale.toml": _REFERENCE,
    "derca report --target ultrascale --platform sim/platforms/reference-scale.toml --reference": _REFERENCE,
    "derca report --target ultrascale --platform sim/platforms/small.toml --growth array -o growth-array.svg": _GROWTH,
    "derca report --target ultrascale --platform sim/platforms/small.toml --growth tasks -o growth-tasks.svg": _GROWTH,
    "derca reproduce fig11b --engine dask --dask tcp://127.0.0.1:8786":
        "sim/test_experiments.py::test_dask_cluster_gives_the_same",
    "derca reproduce fig11c --size large --jobs 8 -o out/fig11c":
        "sim/test_experiments.py::test_command_writes_table_picture_and_words",
    "derca run sim/tasksets/anomaly.toml --inputs samples.npz --outputs results.npz": _SAMPLES,
    "derca analyze sim/tasksets/demo.toml": _GOLDEN,
    "derca run sim/tasksets/demo.toml": _GOLDEN,
    "derca simulate sim/tasksets/demo.toml": _GOLDEN,
}
#: Needs what no machine of tests has.
NEEDS = {
    "derca host sim/tasksets/digits_tiny.toml --board icebreaker --port /dev/ttyUSB1": "a board",
    "derca host sim/tasksets/demo.toml --platform sim/platforms/zcu104.toml --uio derca --memory udmabuf0": "a board",
}
