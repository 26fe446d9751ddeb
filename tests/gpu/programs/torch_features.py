"""PyTorch, unmodified: what its ways to run work give for inputs that are made on the CPU, so that they are
the same on any number of SMs. One JSON line, as answers.py compares it."""
import json
import shutil
import sys
import zlib

import torch
from distinct import distinct_sms, told_sms
from torch.nn import functional

DEVICE = "cuda"
ANSWERS = {}
CPU = torch.Generator().manual_seed(7)


def made(*shape):
    return torch.randn(*shape, generator=CPU).to(DEVICE)


def bits(tensor):
    return zlib.crc32(tensor.detach().contiguous().cpu().numpy().tobytes())


def values(tensor):
    """A few of them and their mean size: to be compared by tolerance, as kernels differ by the SM count."""
    flat = tensor.detach().double().flatten()
    return [*flat[:: max(1, flat.numel() // 6)].tolist(), flat.abs().mean().item()]


def eager():
    x, y = made(1 << 20), made(1 << 20)
    ANSWERS["bits of elementwise work"] = bits(x * y + x.clamp(-1, 1))
    ANSWERS["bits of a sort"] = bits(torch.sort(x).values)
    ANSWERS["sum"] = values((x * y).sum().reshape(1))
    a, b = made(1024, 512), made(512, 768)
    ANSWERS["cuBLAS, fp32"] = values(a @ b)
    ANSWERS["cuBLAS, bf16, mean size"] = (a.bfloat16() @ b.bfloat16()).float().abs().mean().item()
    ANSWERS["cuBLAS, batched"] = values(torch.bmm(made(32, 64, 48), made(32, 48, 80)))
    ANSWERS["cuDNN convolution"] = values(functional.conv2d(made(8, 32, 56, 56), made(64, 32, 3, 3), padding=1))
    ANSWERS["cuDNN is used"] = torch.backends.cudnn.is_acceptable(a)
    ANSWERS["cuFFT"] = values(torch.fft.rfft(made(64, 1000)).abs())
    ANSWERS["cuSOLVER"] = values(torch.linalg.cholesky(a.T @ a + 512 * torch.eye(512, device=DEVICE)))


def network():
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3), torch.nn.ReLU(), torch.nn.BatchNorm2d(16),
                              torch.nn.AdaptiveAvgPool2d(4), torch.nn.Flatten(), torch.nn.Linear(256, 10))
    for parameter in net.parameters():
        parameter.data = torch.randn(parameter.shape, generator=CPU) * 0.1
    return net.to(DEVICE)


def autograd():
    net, inputs, targets = network(), made(16, 3, 32, 32), torch.arange(16, device=DEVICE) % 10
    step = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    losses = []
    for _ in range(5):
        step.zero_grad()
        loss = functional.cross_entropy(net(inputs), targets)
        loss.backward()
        step.step()
        losses.append(loss.item())
    ANSWERS["losses of five steps"] = losses


def some_work(x, weight):
    return functional.layer_norm(functional.gelu(x @ weight), (weight.shape[1],)).tanh().sum(dim=1)


def compiled():
    from torch._dynamo.utils import counters  # the only place that says whether graphs were given up

    x, weight = made(256, 192), made(192, 128).requires_grad_()
    want = some_work(x, weight)
    gradient = torch.autograd.grad(want.sum(), weight)[0]
    for mode in ("default", "reduce-overhead"):
        torch._dynamo.reset()
        run = torch.compile(some_work, mode=mode)
        for _ in range(4):  # warms up, captures, replays
            torch.compiler.cudagraph_mark_step_begin()
            got = run(x, weight)
            slope = torch.autograd.grad(got.sum(), weight)[0].clone()
            got = got.detach().clone()
        ANSWERS[f"compiled, {mode}"] = values(got)
        ANSWERS[f"compiled, {mode}: as eager"] = bool(torch.allclose(got, want, rtol=1e-3, atol=1e-3))
        ANSWERS[f"compiled, {mode}: gradient as eager"] = bool(
            torch.allclose(slope, gradient, rtol=1e-2, atol=1e-2))
    ANSWERS["graphs that the compiler gave up"] = counters["inductor"]["cudagraph_skips"]


def try_compiler():
    if not any(shutil.which(tool) for tool in ("gcc", "cc", "clang")):
        ANSWERS["skipped torch.compile"] = "no C compiler on PATH"
        return
    try:
        import triton  # noqa: F401
    except ImportError as error:
        ANSWERS["skipped torch.compile"] = str(error)
        return
    compiled()


def graphs():
    net, fixed, other = network(), made(16, 3, 32, 32), made(16, 3, 32, 32)
    net.eval()
    with torch.no_grad():
        want = net(other)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            net(fixed)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = net(fixed)
        fixed.copy_(other)
        for _ in range(3):
            graph.replay()
    ANSWERS["a graph"] = values(result)
    ANSWERS["a graph as eager"] = bool(torch.allclose(result, want, rtol=1e-4, atol=1e-4))


def streams():
    first, second = torch.cuda.Stream(), torch.cuda.Stream(priority=-1)
    event, begin, end = (torch.cuda.Event(enable_timing=timed) for timed in (False, True, True))
    wrong = 0
    for turn in range(20):
        cell = torch.zeros(1 << 16, device=DEVICE)
        torch.cuda.synchronize()
        with torch.cuda.stream(first):
            begin.record()
            torch.cuda._sleep(2_000_000)
            cell.fill_(turn + 1)
            event.record()
        with torch.cuda.stream(second):
            event.wait()
            seen = cell * 2
            end.record()
        second.synchronize()
        wrong += int((seen != 2 * turn + 2).sum())
    ANSWERS["wrong values behind an event"] = wrong
    ANSWERS["time passed between events"] = begin.elapsed_time(end) > 0.5
    ANSWERS["sms on a side stream"] = distinct_sms(first.cuda_stream)
    ANSWERS["sms on the current stream"] = distinct_sms(torch.cuda.current_stream().cuda_stream)


def copies():
    source = torch.randn(1 << 22, generator=CPU)
    pinned = source.pin_memory()
    there = torch.empty_like(pinned, device=DEVICE)
    back = torch.empty_like(source).pin_memory()
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        there.copy_(pinned, non_blocking=True)
        there.mul_(2)
        back.copy_(there, non_blocking=True)
    side.synchronize()
    ANSWERS["bits of pinned copies"] = bits(back)
    ANSWERS["pinned copies are right"] = bool(torch.equal(back, source * 2))
    ANSWERS["plain copies are right"] = bool(torch.equal(source.to(DEVICE).cpu(), source))


def profiled():
    x = torch.zeros(1 << 16, device=DEVICE)
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    with torch.profiler.profile(activities=activities) as profile:
        for _ in range(10):
            x.add_(1)
        torch.cuda.synchronize()
    kernels = [event for event in profile.events() if event.device_type == torch.autograd.DeviceType.CUDA
               and "elementwise" in event.name]
    ANSWERS["kernels that the profiler saw"] = len(kernels)


def main():
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    ANSWERS["sms by properties"] = torch.cuda.get_device_properties(0).multi_processor_count
    ANSWERS["sms by attribute"] = told_sms()
    for part in (eager, autograd, graphs, streams, copies, profiled, try_compiler):
        part()
    torch.cuda.synchronize()
    print(json.dumps(ANSWERS))


sys.exit(main())
