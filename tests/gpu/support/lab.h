// What tests of streams work with: gates, which keep a stream busy until the host opens them, and
// cells of device memory, which show what has been done. All is made ready beforehand, for while a
// gate is closed nothing may be loaded or allocated: that would wait for it.
#pragma once
#include <array>
#include <functional>

#include "tests/gpu/support/child.h"

namespace gpu {

class Lab {
  public:
    // Initialises CUDA and makes the primary context of device 0 current. A step that fails ends
    // the process, and so the test.
    explicit Lab(Cuda& cuda);

    // The environment that a child with a Lab needs: kernels are loaded with their module.
    static Environment environment() { return {{"CUDA_MODULE_LOADING", "EAGER"}}; }

    // Puts a closed gate in the stream: what comes after it there waits until it is opened.
    CUresult close(CUstream stream, int gate = 0);
    CUresult close_ptsz(CUstream stream, int gate = 0);
    void open(int gate = 0);
    // Lets a gate that was opened be closed again; all that waited for it is done.
    void renew(int gate = 0);
    // Whether `call` returns only after the gate is open, which another thread sees to meanwhile.
    bool waits(const std::function<void()>& call, int gate = 0);

    // A kernel that ends at once.
    CUresult launch(CUstream stream) { return close(stream, kOpenGate); }

    // Writes the cell in the stream's order; read() waits for no other stream.
    CUresult write(CUstream stream, int cell, int value);
    int read(int cell);
    CUdeviceptr cell(int number) const;

    // A stream of the current context.
    CUstream stream(unsigned flags);
    CUevent event(unsigned flags = CU_EVENT_DISABLE_TIMING);

    Cuda& cuda;
    CUcontext primary = nullptr;

  private:
    static constexpr int kCells = 8;
    static constexpr int kOpenGate = 4;  // after those that tests close

    void load();
    void warm_up();

    CUfunction wait_flag_ = nullptr;
    unsigned* flags_ = nullptr;      // pinned: one for each gate
    unsigned char* seen_ = nullptr;  // pinned: where read() reads to
    CUdeviceptr cells_ = 0;
    CUstream reader_ = nullptr;
};

// Runs `work` in a thread of its own with the context current, and waits for it.
void in_thread(Cuda& cuda, CUcontext context, const std::function<void()>& work);

}  // namespace gpu
