"""The same binary on CPUs that lack what it was tuned for, emulated by qemu-user: no illegal instruction, right results."""
import json, os, shutil, subprocess, sys, unittest

from support import BINARY, ROOT, embedder, main, path, read_safetensors, write_safetensors

QEMU = shutil.which("qemu-x86_64") or shutil.which("qemu-x86_64-static")
# |got - expected| / |expected| of the tiny BERT
BOUNDS = {"fp32": 2e-5, "bf16": 0.02, "fp16": 0.003, "int8": 0.06}


class OldCpu(unittest.TestCase):
    def check(self, cpu, isa, precision):
        expected = read_safetensors(os.path.join(ROOT, "tests/data/models/bert/expected.safetensors"))
        names = ("input_ids", "attention_mask", "token_type_ids")
        write_safetensors(path("in.safetensors"), {name: expected[name] for name in names})
        command = [QEMU, "-cpu", cpu, BINARY, "run", embedder(), "--inputs", path("in.safetensors"),
                   "-o", path("out.safetensors"), "--precision", precision, "--json"]
        done = subprocess.run(command, capture_output=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr.decode()[-2000:])
        self.assertEqual(json.loads(done.stdout)["isa"], isa)
        shape, got = read_safetensors(path("out.safetensors"))["last_hidden_state"]
        want, mask, width = expected["last_hidden_state"][1], expected["attention_mask"][1], shape[2]
        kept = [i for i in range(len(want)) if mask[i // width]]
        error = sum((got[i] - want[i]) ** 2 for i in kept) ** 0.5 / sum(want[i] ** 2 for i in kept) ** 0.5
        self.assertLess(error, BOUNDS[precision])

    def test_without_avx(self):
        for precision in BOUNDS:
            with self.subTest(precision):
                self.check("Nehalem", "portable", precision)

    def test_with_avx2_alone(self):
        for precision in BOUNDS:
            with self.subTest(precision):
                self.check("Haswell", "avx2", precision)


if __name__ == "__main__":
    if QEMU is None:
        print("left out: qemu-user is not installed (scripts/setup test)")
        sys.exit(1 if "CI" in os.environ else 77)
    main()
