"""tools/measure_loss: files that are kept in its work directory are those of the model and the data that are asked for."""
import json, os, shutil, subprocess, sys, unittest

from support import BINARY, ROOT, WORK, dataset, main, path, tiny_model

FORMATS = {"dynamic": "dynamic-QDQ-QInt8-tensor-level-0", "static": "static-QDQ-QInt8-tensor-level-0"}


def measure(model, data):
    """The table's rows."""
    globs = ",".join(name.replace("-level", " level").replace("-", " ") for name in FORMATS.values())
    command = [sys.executable, os.path.join(ROOT, "tools/measure_loss"), model, "--dataset", data, "--work", path("loss"), "--formats", globs]
    environment = {**os.environ, "OCTAVO_BINARY": BINARY, "XDG_CACHE_HOME": os.path.join(WORK, "cache")}
    done = subprocess.run([*command, "--", "--resamples", "100"], capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[2:]


def made():
    """Format -> (the source its record names, when its file was written)."""
    out = {}
    for mode, folder in FORMATS.items():
        with open(path(f"loss/{folder}/octavo.json")) as file:
            source = json.load(file)["source"]
        out[mode] = (source, os.stat(path(f"loss/{folder}/model.onnx")).st_mtime_ns)
    return out


class MeasureLoss(unittest.TestCase):
    def test_files_of_another_model_or_data_set_are_made_anew(self):
        one = tiny_model("tiny-embedder", "bert")
        other = shutil.copytree(one, path("other-embedder"))
        rows = measure(one, dataset())
        self.assertEqual([row.split("|")[1].strip() for row in rows], ["fp32", *(f.replace("-", " ") for f in FORMATS.values())])
        first = made()
        self.assertEqual({source for source, _ in first.values()}, {"tiny-embedder"})
        measure(one, dataset())
        self.assertEqual(made(), first, "nothing changed")
        measure(other, dataset())
        second = made()
        self.assertEqual({source for source, _ in second.values()}, {"other-embedder"})
        again = shutil.copytree(dataset(), path("beir-again"))
        measure(other, again)
        third = made()
        self.assertEqual(third["dynamic"], second["dynamic"])
        self.assertNotEqual(third["static"], second["static"], "calibrated on another data set")


if __name__ == "__main__":
    main()
