"""Memory quotas that ration counts itself: unmodified programs on the simulated node, without an MPS daemon
and with one.

Arguments: build folder, source folder.
"""

import json
import pathlib
import subprocess
import sys
import textwrap
import unittest

import cuda_confine_test as confine
import cuda_green_test as green
from cuda_confine_test import ROUTES, Node, rule

GIB = 1 << 30
MIB = 1 << 20

PROGRAM = """
import ctypes, json, os, sys
from ctypes import byref, c_int, c_size_t, c_uint, c_uint64, c_void_p
MIB = 1 << 20
cuda = ctypes.CDLL("libcuda.so.1")

class Location(ctypes.Structure):
    _fields_ = [("type", c_int), ("id", c_int)]

class Physical(ctypes.Structure):
    _fields_ = [("type", c_int), ("handles", c_int), ("location", Location), ("windows", c_void_p),
                ("flags", c_uint64)]

class Pool(ctypes.Structure):
    _fields_ = [("type", c_int), ("handles", c_int), ("location", Location), ("windows", c_void_p),
                ("most", c_size_t), ("usage", ctypes.c_ushort), ("reserved", ctypes.c_ubyte * 54)]

class Array(ctypes.Structure):
    _fields_ = [("width", c_size_t), ("height", c_size_t), ("format", c_int), ("channels", c_uint)]

class Array3D(ctypes.Structure):
    _fields_ = [("width", c_size_t), ("height", c_size_t), ("depth", c_size_t), ("format", c_int),
                ("channels", c_uint), ("flags", c_uint)]

FLOAT = 0x20

def must(code):
    assert code == 0, code

def start():
    must(cuda.cuInit(0))
    context = c_void_p()
    must(cuda.cuDevicePrimaryCtxRetain(byref(context), 0))
    must(cuda.cuCtxSetCurrent(context))

def free():
    "In MiB."
    values = c_size_t(), c_size_t()
    must(cuda.cuMemGetInfo_v2(byref(values[0]), byref(values[1])))
    assert values[0].value % MIB == 0, values
    return values[0].value // MIB

def allocate(mib):
    pointer = c_uint64()
    return cuda.cuMemAlloc_v2(byref(pointer), c_size_t(mib * MIB)), pointer

start()
"""


def python(node, code, **variables):
    return node.python(PROGRAM + textwrap.dedent(code), **variables)


class Counted(unittest.TestCase):
    def told(self, node, code, **variables):
        done = python(node, code, **variables)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_every_route_is_counted(self):
        with Node(daemon=False) as node:
            node.policy(rule('memory = "1GiB"'))
            for route in ROUTES:
                report, said = node.run(route)
                found = [report.get(name) for name in
                         ("memory_total", "memory_free", "memory_free_after_64_mib", "sms")]
                self.assertEqual((found, said), ([GIB, GIB, GIB - 64 * MIB, 132], ""), route)
            for record in node.records():
                self.assertEqual((record["state"], record["mechanism"], record["memory_quota"]),
                                 ("granted", "none", GIB))

    def test_a_part_of_each_device(self):
        with Node(gpus="h100,l4", daemon=False) as node:
            node.policy('[[rule]]\nuse = "ignore"\n')
            code = """
            sizes = []
            for device in range(2):
                total = c_size_t()
                must(cuda.cuDeviceTotalMem_v2(byref(total), device))
                sizes.append(total.value)
            print(json.dumps(sizes))
            """
            bare = self.told(node, code)
            node.policy(rule('memory = "25%"'))
            self.assertEqual(self.told(node, code), [size // 4 // MIB * MIB for size in bare])

    def test_every_call_counts(self):
        for partition in ('memory = "64MiB"', 'mechanism = "green"\nshare = "25%"\nmemory = "64MiB"'):
            with self.subTest(partition), Node(daemon=False) as node:
                node.policy(rule(partition))
                self.every_call_counts(node)

    def test_beside_groups_of_sms(self):
        with Node(daemon=False) as node:
            node.policy(rule('mechanism = "green"\nshare = "25%"\nmemory = "1GiB"'))
            report, said = node.run(RATION_LOG="stderr")
            self.assertEqual((report["sms"], report["memory_total"]), (32, GIB))
            self.assertIn("green", said)
            self.assertIn("memory 1024 MiB, counted by ration", said)

    def every_call_counts(self, node):
        told = self.told(node, """
        size = c_size_t(40 * MIB)
        found = {}
        def fill(name, make, drop):
            before = free()
            code, thing = make()
            must(code)
            full = free()
            again, _ = make()
            must(drop(thing))
            must(cuda.cuCtxSynchronize())
            found[name] = [before, full, again, free()]

        def made(function, *arguments):
            def make():
                thing = c_uint64()
                return function(byref(thing), *arguments), thing
            return make

        fill("linear", made(cuda.cuMemAlloc_v2, size), cuda.cuMemFree_v2)
        fill("managed", made(cuda.cuMemAllocManaged, size, 1), cuda.cuMemFree_v2)
        pitch = c_size_t()
        fill("pitch", made(cuda.cuMemAllocPitch_v2, byref(pitch), c_size_t(1000),
                           c_size_t(40960), 4), cuda.cuMemFree_v2)
        for kind in "", "_ptsz":
            release = getattr(cuda, "cuMemFreeAsync" + kind)
            fill("async" + kind, made(getattr(cuda, "cuMemAllocAsync" + kind), size, None),
                 lambda pointer: release(pointer, None))
            pool = c_void_p()
            must(cuda.cuDeviceGetDefaultMemPool(byref(pool), 0))
            fill("pool" + kind, made(getattr(cuda, "cuMemAllocFromPoolAsync" + kind), size, pool,
                                     None), lambda pointer: release(pointer, None))
        wanted = Physical(1, 0, Location(1, 0))
        fill("physical", made(cuda.cuMemCreate, size, byref(wanted), c_uint64(0)),
             cuda.cuMemRelease)
        flat = Array(1024, 10240, FLOAT, 1)
        fill("array", made(cuda.cuArrayCreate_v2, byref(flat)), cuda.cuArrayDestroy)
        deep = Array3D(1024, 1024, 10, FLOAT, 1, 0)
        fill("array3d", made(cuda.cuArray3DCreate_v2, byref(deep)), cuda.cuArrayDestroy)
        fill("mipmap", made(cuda.cuMipmappedArrayCreate, byref(deep), 1),
             cuda.cuMipmappedArrayDestroy)
        print(json.dumps(found))
        """)
        for name, found in told.items():
            # Pools take 32 MiB at a time.
            full = 0 if name.startswith(("async", "pool")) else 24
            self.assertEqual(found, [64, full, 2, 64], name)
        self.assertEqual(len(told), 11)

    def test_mapped_memory_outlives_its_handle(self):
        with Node(daemon=False) as node:
            node.policy(rule('memory = "64MiB"'))
            told = self.told(node, """
            handle, again, address = c_uint64(), c_uint64(), c_uint64()
            size = c_size_t(40 * MIB)
            wanted = Physical(1, 0, Location(1, 0))
            must(cuda.cuMemAddressReserve(byref(address), c_size_t(1024 * MIB), c_size_t(0),
                                          c_uint64(0), c_uint64(0)))
            left = [free()]
            must(cuda.cuMemCreate(byref(handle), size, byref(wanted), c_uint64(0)))
            must(cuda.cuMemMap(address, size, c_size_t(0), handle, c_uint64(0)))
            must(cuda.cuMemRelease(handle))
            left.append(free())
            must(cuda.cuMemRetainAllocationHandle(byref(again), c_void_p(address.value)))
            must(cuda.cuMemUnmap(address, size))
            left.append(free())
            must(cuda.cuMemRelease(again))
            left.append(free())
            print(json.dumps(left))
            """)
            self.assertEqual(told, [64, 24, 24, 64])

    def test_a_pool_that_keeps_what_is_freed_counts(self):
        with Node(daemon=False) as node:
            node.policy(rule('memory = "128MiB"'))
            told = self.told(node, """
            pool, pointer = c_void_p(), c_uint64()
            wanted = Pool(1, 0, Location(1, 0))
            must(cuda.cuMemPoolCreate(byref(pool), byref(wanted)))
            for_ever = c_uint64(2 ** 64 - 1)
            must(cuda.cuMemPoolSetAttribute(pool, 4, byref(for_ever)))
            must(cuda.cuMemAllocFromPoolAsync(byref(pointer), c_size_t(100 * MIB), pool, None))
            must(cuda.cuMemFreeAsync(pointer, None))
            must(cuda.cuCtxSynchronize())
            found = [free(), allocate(60)[0], free()]
            must(cuda.cuMemPoolDestroy(pool))
            print(json.dumps(found + [free()]))
            """)
            # It is trimmed before anything is refused, as a full GPU does.
            self.assertEqual(told, [0, 0, 68, 68])

    def test_the_end_of_a_context_frees_its_memory(self):
        with Node(daemon=False) as node:
            node.policy(rule('memory = "64MiB"'))
            told = self.told(node, """
            own = c_void_p()
            must(allocate(10)[0])
            must(cuda.cuCtxCreate_v2(byref(own), 0, 0))
            must(allocate(40)[0])
            left = [free()]
            must(cuda.cuCtxDestroy_v2(own))
            primary = c_void_p()
            must(cuda.cuDevicePrimaryCtxRetain(byref(primary), 0))
            must(cuda.cuCtxSetCurrent(primary))
            left.append(free())
            must(cuda.cuDevicePrimaryCtxReset_v2(0))
            must(cuda.cuDevicePrimaryCtxRetain(byref(primary), 0))
            must(cuda.cuCtxSetCurrent(primary))
            left.append(free())
            must(allocate(10)[0])
            flags, active = c_uint(), c_int(1)
            while active.value:
                left.append(free())
                must(cuda.cuDevicePrimaryCtxRelease_v2(0))
                must(cuda.cuDevicePrimaryCtxGetState(0, byref(flags), byref(active)))
            must(cuda.cuDevicePrimaryCtxRetain(byref(primary), 0))
            must(cuda.cuCtxSetCurrent(primary))
            print(json.dumps(left + [free()]))
            """)
            self.assertEqual(told[:3], [14, 54, 64])
            self.assertEqual(set(told[3:-1]), {54}, "until the last release")
            self.assertEqual(told[-1], 64)

    def test_says_once_that_the_quota_is_used_up(self):
        with Node(daemon=False) as node:
            node.policy(rule('memory = "64MiB"'))
            done = python(node, "print([allocate(100)[0] for _ in range(3)])", RATION_LOG="stderr")
            self.assertEqual(done.stdout, "[2, 2, 2]\n")
            self.assertEqual(done.stderr.count("is used up"), 1, done.stderr)
            self.assertIn("memory 64 MiB, counted by ration", done.stderr)
            self.assertEqual(python(node, "print(allocate(100)[0])").stderr, "")

    def test_absurd_sizes(self):
        with Node(daemon=False) as node:
            node.policy(rule('memory = "64MiB"'))
            told = self.told(node, """
            pointer, pitch, handle = c_uint64(), c_size_t(), c_uint64()
            huge = c_size_t(2 ** 64 - 1)
            wanted = Physical(1, 0, Location(1, 0))
            deep = Array3D(2 ** 63, 2 ** 63, 2 ** 63, FLOAT, 4, 0)
            codes = [cuda.cuMemAlloc_v2(byref(pointer), huge),
                     cuda.cuMemAllocPitch_v2(byref(pointer), byref(pitch), huge, huge, 4),
                     cuda.cuMemAllocAsync(byref(pointer), huge, None),
                     cuda.cuMemCreate(byref(handle), huge, byref(wanted), c_uint64(0)),
                     cuda.cuArray3DCreate_v2(byref(handle), byref(deep))]
            print(json.dumps(codes + [free()]))
            """)
            self.assertEqual(told, [2, 2, 2, 2, 2, 64])

    def test_a_forked_child_counts_for_itself(self):
        with Node(daemon=False) as node:
            node.policy(rule('memory = "64MiB"'))
            told = self.told(node, """
            must(allocate(40)[0])
            codes = [allocate(40)[0]]
            if os.fork() == 0:
                os.execv(sys.executable, [sys.executable, "-c",
                         "print(1)"] if allocate(1)[0] == 0 else ["false", "-c", ""])
            _, status = os.wait()
            print(json.dumps(codes + [status, free()]))
            """)
            self.assertEqual((told[0], told[2]), (2, 24))


GRAPHS = """
class Instantiation(ctypes.Structure):
    _fields_ = [("flags", c_uint64), ("stream", c_void_p), ("node", c_void_p), ("result", c_int)]

stream, seen = c_void_p(), c_uint64()
must(cuda.cuStreamCreate(byref(stream), 1))
must(cuda.cuMemAlloc_v2(byref(seen), c_size_t(1)))

def graph(mib, value=1, keeps=False):
    "Allocates, writes the value where it is seen, and frees; and the allocation's address."
    made, memory = c_void_p(), c_uint64()
    must(cuda.cuStreamBeginCapture_v2(stream, 2))
    must(cuda.cuMemAllocAsync(byref(memory), c_size_t(mib * MIB), stream))
    must(cuda.cuMemsetD8Async(seen, value, c_size_t(1), stream))
    if not keeps:
        must(cuda.cuMemFreeAsync(memory, stream))
    must(cuda.cuStreamEndCapture(stream, byref(made)))
    return made, memory

def instantiate(made, flags=0):
    executable = c_void_p()
    must(cuda.cuGraphInstantiateWithFlags(byref(executable), made, c_uint64(flags)))
    return executable

def read():
    value = ctypes.c_ubyte()
    must(cuda.cuMemcpyDtoH_v2(byref(value), seen, c_size_t(1)))
    return value.value

def trim():
    must(cuda.cuDeviceGraphMemTrim(0))
    return taken()

def taken():
    "Of the quota, in whole MiB."
    values = c_size_t(), c_size_t()
    must(cuda.cuMemGetInfo_v2(byref(values[0]), byref(values[1])))
    return (values[1].value - values[0].value) // MIB
"""


class Unmodified(unittest.TestCase):
    # What the conformance programs find otherwise, because the quota is not what the device has.
    DIFFERENT = {
        "MappedMemory.ComesInWholeUnitsAndNotInExcess": "FAILED",  # all of the quota can be had
        "OtherMemory.IsOnTheDeviceOrNot": "FAILED",  # managed memory counts
        "Arrays.ArePadded": "SKIPPED",  # these know the numbers of a part with all its memory
        "Memory.ComesInUnits": "SKIPPED",
    }

    def test_programs_see_what_they_see_bare(self):
        with Node(daemon=False) as node:
            node.policy(rule('memory = "70%"'))
            confined = {"LD_PRELOAD": str(confine.BUILD / "libration.so"),
                        "RATION_POLICY": node.environment["RATION_POLICY"],
                        "RATION_RUNTIME_DIR": node.environment["RATION_RUNTIME_DIR"]}
            for program in "allocation", "graph_memory", "capture":
                with self.subTest(program):
                    bare = green.outcomes(program)
                    self.assertTrue(bare)
                    self.assertNotIn("FAILED", bare.values())
                    expected = {name: self.DIFFERENT.get(name, state) for name, state in bare.items()}
                    self.assertEqual(green.outcomes(program, **confined), expected)


class Graphs(unittest.TestCase):
    """Memory that graphs allocate: of the quota from their launch on."""

    def ask(self, partition, code):
        with Node(daemon=False) as node:
            node.policy(rule(partition))
            done = node.python(PROGRAM + GRAPHS + textwrap.dedent(code))
            self.assertEqual(done.returncode, 0, done.stderr)
            return json.loads(done.stdout)

    def test_a_launch_beyond_the_quota_is_refused(self):
        for partition in ('memory = "128MiB"', 'mechanism = "green"\nshare = "25%"\nmemory = "128MiB"'):
            with self.subTest(partition):
                told = self.ask(partition, """
                found = {}
                for kind in "", "_ptsz":
                    launch = getattr(cuda, "cuGraphLaunch" + kind)
                    fits, more = instantiate(graph(60, 7)[0]), instantiate(graph(160, 9)[0])
                    steps = [taken(), launch(more, stream), read(), launch(fits, stream), read(), taken()]
                    steps += [launch(fits, stream), taken(), launch(more, stream), read()]
                    must(cuda.cuMemsetD8_v2(seen, 0, c_size_t(1)))
                    found[kind] = steps + [trim()]
                print(json.dumps(found))
                """)
                for kind, steps in told.items():
                    self.assertEqual(steps, [0, 2, 0, 0, 7, 64, 0, 64, 2, 7, 0], kind)

    def test_every_way_to_make_one(self):
        told = self.ask('memory = "128MiB"', """
        def way(name):
            made, found = graph(160)[0], c_void_p()
            if name.startswith("cuGetProcAddress"):
                entry, status = c_void_p(), c_int()
                must(cuda.cuGetProcAddress_v2(b"cuGraphInstantiate", byref(entry), 13000,
                                              c_uint64(0), byref(status)))
                make = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_uint64)(entry.value)
                must(make(ctypes.addressof(found), made, 0))
            elif "Params" in name:
                wanted = Instantiation()
                must(getattr(cuda, name)(byref(found), made, byref(wanted)))
            elif "Flags" in name:
                must(getattr(cuda, name)(byref(found), made, c_uint64(0)))
            else:
                must(getattr(cuda, name)(byref(found), made, None, None, c_size_t(0)))
            return found

        print(json.dumps({name: cuda.cuGraphLaunch(way(name), stream) for name in [
            "cuGraphInstantiate", "cuGraphInstantiate_v2", "cuGraphInstantiateWithFlags",
            "cuGraphInstantiateWithParams", "cuGraphInstantiateWithParams_ptsz",
            "cuGetProcAddress"]}))
        """)
        self.assertEqual(len(told), 6)
        for name, code in told.items():
            self.assertEqual(code, 2, name)

    def test_an_upload_takes_it_too(self):
        told = self.ask('memory = "128MiB"', """
        found = {}
        for kind in "", "_ptsz":
            upload = getattr(cuda, "cuGraphUpload" + kind)
            make = getattr(cuda, "cuGraphInstantiateWithParams" + kind)
            steps = [upload(instantiate(graph(160)[0]), stream),
                     upload(instantiate(graph(60)[0]), stream), taken(), trim()]
            for mib in 160, 60:
                wanted, made = Instantiation(2, stream), c_void_p()
                steps += [make(byref(made), graph(mib)[0], byref(wanted)), wanted.result, taken()]
            found[kind] = steps + [trim()]
        print(json.dumps(found))
        """)
        for kind, steps in told.items():
            self.assertEqual(steps, [2, 0, 64, 0, 2, 1, 0, 0, 0, 64, 0], kind)

    def test_an_update_changes_what_is_needed(self):
        told = self.ask('memory = "128MiB"', """
        class Update(ctypes.Structure):
            _fields_ = [("result", c_int), ("node", c_void_p), ("before", c_void_p)]
        found = {}
        for version in "", "_v2":
            update = getattr(cuda, "cuGraphExecUpdate" + version)
            out = [byref(Update())] if version else [byref(c_void_p()), byref(c_int())]
            executable = instantiate(graph(60)[0])
            steps = [cuda.cuGraphLaunch(executable, stream)]
            for mib in 160, 100:
                steps += [update(executable, graph(mib)[0], *out), cuda.cuGraphLaunch(executable, stream)]
            found[version] = steps + [taken(), trim()]
        print(json.dumps(found))
        """)
        for version, steps in told.items():
            self.assertEqual(steps, [0, 0, 2, 0, 0, 128, 0], version)

    def test_what_is_kept_counts_until_it_is_freed_and_trimmed(self):
        told = self.ask('memory = "128MiB"', """
        made, memory = graph(60, keeps=True)
        executable = instantiate(made)
        steps = [cuda.cuGraphLaunch(executable, stream), trim()]
        must(cuda.cuGraphExecDestroy(executable))
        must(cuda.cuGraphDestroy(made))
        steps += [trim(), cuda.cuGraphLaunch(instantiate(graph(100)[0]), stream)]
        must(cuda.cuMemFree_v2(memory))
        steps += [cuda.cuGraphLaunch(instantiate(graph(100)[0]), stream), taken(), trim()]
        print(json.dumps(steps))
        """)
        self.assertEqual(told, [0, 64, 64, 2, 0, 128, 0])

    def test_it_is_trimmed_before_something_else_is_refused(self):
        told = self.ask('memory = "128MiB"', """
        must(cuda.cuGraphLaunch(instantiate(graph(60)[0]), stream))
        print(json.dumps([taken(), allocate(100)[0], taken()]))
        """)
        self.assertEqual(told, [64, 0, 100])

    def test_one_stream_uses_it_again_and_a_child_counts(self):
        told = self.ask('memory = "128MiB"', """
        class Child(ctypes.Structure):
            _fields_ = [("type", c_int), ("reserved", c_int * 3), ("graph", c_void_p),
                        ("ownership", c_int), ("padding", ctypes.c_ubyte * 220),
                        ("more", ctypes.c_longlong)]
        several = [instantiate(graph(mib)[0]) for mib in (60, 50, 64)]
        steps = [cuda.cuGraphLaunch(each, stream) for each in several * 2] + [taken()]
        for mib in 60, 160:
            parent, node, made = c_void_p(), c_void_p(), c_void_p()
            must(cuda.cuGraphCreate(byref(parent), 0))
            wanted = Child(4, (c_int * 3)(), graph(mib)[0], 1)
            must(cuda.cuGraphAddNode_v2(byref(node), parent, None, None, c_size_t(0), byref(wanted)))
            steps.append(cuda.cuGraphLaunch(instantiate(parent), stream))
        print(json.dumps(steps))
        """)
        self.assertEqual(told, [0] * 6 + [64, 0, 2])


class ByTheDriver(unittest.TestCase):
    def test_mps_keeps_a_process_own_quota(self):
        for partition in ('memory = "2GiB"', 'share = "25%"\nmemory = "2GiB"'):
            with self.subTest(partition), Node() as node:
                node.policy(rule(partition))
                report, said = node.run(RATION_LOG="stderr")
                self.assertGreater(report["memory_total"], 2 * GIB, "the driver tells the device's")
                self.assertIn("memory 2048 MiB\n", said)
                self.assertIn("mps", said)


HOLD = """
code, pointer = allocate(int(sys.argv[1]))
print(code, flush=True)
sys.stdin.read()
"""


class Shared(unittest.TestCase):
    def hold(self, node, mib):
        """A process that allocates so many MiB and keeps them; what the driver answered it."""
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM + HOLD, str(mib)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
            env={**node.environment, "LD_PRELOAD": str(confine.BUILD / "libration.so")})
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stdin.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process, process.stdout.readline().strip()

    def test_processes_of_a_user_share_one_quota(self):
        for daemon in (False, True):
            with self.subTest(daemon=daemon), Node(daemon=daemon) as node:
                node.policy(rule('memory = "1GiB"\nscope = "user"'))
                first, code = self.hold(node, 600)
                self.assertEqual(code, "0")
                self.assertEqual(self.hold(node, 500)[1], "2")
                done = python(node, "print(free())")
                self.assertGreater(int(done.stdout), 1024 - 600 - 3 * 16, done.stderr)
                self.assertLessEqual(int(done.stdout), 1024 - 600)
                first.kill()
                first.wait()
                self.assertEqual(self.hold(node, 500)[1], "0")

    def test_memory_of_graphs_is_shared_too(self):
        launches = """
        executable = instantiate(graph(600)[0])
        print(cuda.cuGraphLaunch(executable, stream), flush=True)
        sys.stdin.readline()
        must(cuda.cuDeviceGraphMemTrim(0))
        print("trimmed", flush=True)
        sys.stdin.read()
        """
        with Node(daemon=False) as node:
            node.policy(rule('memory = "1GiB"\nscope = "user"'))

            def begin():
                process = subprocess.Popen(
                    [sys.executable, "-c", PROGRAM + GRAPHS + textwrap.dedent(launches)],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                    env={**node.environment, "LD_PRELOAD": str(confine.BUILD / "libration.so")})
                self.addCleanup(process.communicate)
                return process, process.stdout.readline().strip()

            first, code = begin()
            self.assertEqual(code, "0")
            self.assertEqual(begin()[1], "2")
            first.stdin.write("\n")
            first.stdin.flush()
            first.stdout.readline()
            self.assertEqual(begin()[1], "0", "what is trimmed is everybody's")

    def test_whoever_has_another_partition_is_no_sharer_of_a_slot(self):
        with Node(daemon=False) as node:
            node.policy(textwrap.dedent("""
                [partition.a]
                memory = "1GiB"
                scope = "slot"
                [partition.b]
                memory = "1GiB"
                scope = "slot"
                [[rule]]
                env = { WHICH = "a" }
                use = "partition.a"
                [[rule]]
                use = "partition.b"
                """))
            node.environment["WHICH"] = "a"
            self.assertEqual(self.hold(node, 900)[1], "0")
            self.assertEqual(self.hold(node, 900)[1], "2")
            node.environment["WHICH"] = "b"
            self.assertEqual(self.hold(node, 900)[1], "0")

    def test_a_storm_of_processes_never_has_more(self):
        """Each takes what it can, gives some back, and is killed in the midst of it."""
        storm = """
        import random
        random.seed(int(sys.argv[1]))
        held = []
        for step in range(400):
            if held and random.random() < 0.4:
                size, pointer = held.pop(random.randrange(len(held)))
                must(cuda.cuMemFree_v2(pointer))
            else:
                size = random.choice([1, 2, 3, 6, 30, 60])
                code, pointer = allocate(size)
                assert code in (0, 2), code
                if code == 0:
                    held.append((size, pointer))
        print(sum(size if size == 1 else size + size % 2 for size, _ in held), flush=True)
        sys.stdin.read()
        """
        with Node(daemon=False) as node:
            node.policy(rule('memory = "512MiB"\nscope = "user"'))
            code = PROGRAM + textwrap.dedent(storm)
            environment = {**node.environment, "SIM_CUDA_LOG": "",
                           "LD_PRELOAD": str(confine.BUILD / "libration.so")}

            def begin(seed):
                return subprocess.Popen([sys.executable, "-c", code, str(seed)], env=environment,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

            doomed = [begin(seed) for seed in range(3)]
            living = [begin(seed) for seed in range(3, 6)]
            for process in doomed:
                process.kill()
            held = [int(process.stdout.readline()) for process in living]
            self.assertGreater(sum(held), 0)
            self.assertLessEqual(sum(held), 512, held)
            for process in doomed + living:
                process.kill()
                process.communicate()
            self.assertEqual(self.hold(node, 512)[1], "0", "all of it is free again")


if __name__ == "__main__":
    confine.BUILD, confine.SOURCE = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    green.BUILD = confine.BUILD
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
