"""What is said of torch and GPUs, with a faked torch."""

import sys
from types import SimpleNamespace

import pytest

from simmim_bench.doctor import self_test, torch_facts


@pytest.fixture
def torch(monkeypatch):
    """Function that fakes torch's view of the machine, and the driver's."""

    def fake(capabilities=(), *, cuda="13.0", driver=(), kernels=("sm_80", "sm_90"), nccl=True):
        def properties(number):
            major, minor = capabilities[number]
            return SimpleNamespace(name="GPU X", total_memory=80e9, major=major, minor=minor)

        distributed = SimpleNamespace(
            is_available=lambda: True,
            is_nccl_available=lambda: nccl,
            is_gloo_available=lambda: True,
            FileStore=lambda *_: None,
            init_process_group=lambda *_, **__: None,
            destroy_process_group=lambda: None,
        )
        module = SimpleNamespace(
            version=SimpleNamespace(cuda=cuda, hip=None),
            cuda=SimpleNamespace(
                is_available=lambda: bool(capabilities),
                device_count=lambda: len(capabilities),
                get_device_properties=properties,
                get_arch_list=lambda: list(kernels),
                nccl=SimpleNamespace(version=lambda: (2, 30, 7)),
            ),
            distributed=distributed,
        )
        monkeypatch.setitem(sys.modules, "torch", module)
        monkeypatch.setitem(sys.modules, "torch.distributed", distributed)
        monkeypatch.setattr(torch_facts, "gpus_of_driver", lambda: list(driver))
        return module

    return fake


@pytest.mark.parametrize(
    ("capability", "status", "said"),
    [
        ((9, 0), "ok", "float16, bfloat16, TF32"),
        ((8, 6), "ok", "bfloat16"),  # kernels of 8.0 serve it
        ((7, 5), "problem", "torch has kernels for 80, 90 alone"),
        ((12, 0), "problem", "torch has kernels for 80, 90 alone"),
    ],
)
def test_gpus_and_their_kernels(torch, capability, status, said):
    torch([capability])
    [found] = torch_facts.check_gpus()
    assert found.status == status
    assert said in found.text
    assert found.text.startswith("GPU X, 80 GB, capability ")


def test_an_older_gpu_with_kernels_has_no_bfloat16(torch):
    torch([(7, 5)], kernels=("sm_75",))
    [found] = torch_facts.check_gpus()
    assert (found.status, "bfloat16" in found.remedy) == ("note", False)
    assert found.text.endswith("no fast bfloat16")


def test_each_gpu_is_listed(torch):
    torch([(9, 0), (8, 0)])
    assert [one.topic for one in torch_facts.check_gpus()] == ["GPU 0", "GPU 1"]


def test_a_torch_for_the_cpu_on_a_machine_with_gpus(torch):
    torch(cuda=None, driver=["H200"])
    [found] = torch_facts.check_gpus()
    assert found.status == "problem"
    assert "built for the CPU, but there are 1 GPU(s)" in found.text


def test_a_torch_for_cuda_that_sees_none_of_the_gpus(torch):
    torch(driver=["H200", "H200"])
    [found] = torch_facts.check_gpus()
    assert found.status == "problem"
    assert found.text.startswith("torch sees none of 2 GPU(s)")
    assert "CUDA_VISIBLE_DEVICES" in found.remedy


def test_no_gpu_is_no_problem(torch):
    torch()
    assert [one.status for one in torch_facts.check_gpus()] == ["ok"]


def test_several_gpus_need_nccl(torch):
    torch([(9, 0), (9, 0)], nccl=False)
    [found] = torch_facts.check_communication()
    assert found.status == "problem"
    torch([(9, 0), (9, 0)])
    [found] = torch_facts.check_communication()
    assert found.text == "NCCL 2.30.7, gloo"


def test_gloo_that_cannot_start(torch):
    def refuse(*_, **__):
        raise RuntimeError("unable to resolve hostname\nat line 7")

    torch().distributed.init_process_group = refuse
    [found] = torch_facts.check_communication()
    assert found.status == "note"
    assert found.text == "gloo cannot start: unable to resolve hostname"
    assert "/etc/hosts" in found.remedy


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        ([0.7, float("nan"), 0.6], "the loss of step 2 is nan"),
        ([0.7, 0.7], "the loss does not fall, 0.7000 to 0.7000"),
    ],
)
def test_a_training_that_does_not_learn(monkeypatch, losses, said):
    monkeypatch.setattr(self_test, "_devices", lambda _: ["cpu"])
    monkeypatch.setattr(self_test, "train", lambda _: (losses, 1.0))
    [found] = self_test.check_step()
    assert found.status == "problem"
    assert said in found.text


def test_operators_that_are_wrong(monkeypatch):
    import mmcv.ops

    monkeypatch.setattr(self_test, "_devices", lambda _: ["cpu"])
    [found] = self_test.check_operators()
    assert (found.status, found.text.endswith("right on cpu")) == ("ok", True)
    real = mmcv.ops.nms

    def keep_all(boxes, scores, _):
        return real(boxes, scores, 0.99)

    monkeypatch.setattr(mmcv.ops, "nms", keep_all)
    [found] = self_test.check_operators()
    assert found.status == "problem"
    assert "nms keeps [0, 1, 2] instead of [0, 2]" in found.text


def test_opencv_that_changes_an_image(monkeypatch):
    import cv2

    [found] = self_test.check_images()
    assert found.status == "ok"
    decode = cv2.imdecode
    monkeypatch.setattr(cv2, "imdecode", lambda *given: decode(*given) // 2)
    [found] = self_test.check_images()
    assert found.status == "problem"


def test_the_training_step_of_this_machine():
    losses, seconds = self_test.train("cpu")
    assert len(losses) == self_test.STEPS
    assert losses[-1] < 0.9 * losses[0]
    assert 0 < seconds < 60
