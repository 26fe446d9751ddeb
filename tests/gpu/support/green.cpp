#include "tests/gpu/support/green.h"

#include "tests/gpu/support/inspect.h"

namespace gpu {

bool have_green() {
    constexpr int kFirst = 12040;
    return part().driver >= kFirst;
}

CUdevResource sms_of_device(Cuda& cuda) {
    CUdevResource resource{};
    cuda.cuDeviceGetDevResource(0, &resource, CU_DEV_RESOURCE_TYPE_SM);
    return resource;
}

Split split(Cuda& cuda, const CUdevResource& input, unsigned least, unsigned flags, unsigned most) {
    Split made{CUDA_SUCCESS, std::vector<CUdevResource>(most), {}};
    unsigned count = most;
    made.result = cuda.cuDevSmResourceSplitByCount(made.groups.data(), &count, &input, &made.rest,
                                                   flags, least);
    made.groups.resize(made.result == CUDA_SUCCESS ? count : 0);
    return made;
}

Green make_green(Cuda& cuda, std::vector<CUdevResource> groups) {
    Green green{};
    CUdevResourceDesc description{};
    green.result = cuda.cuDevResourceGenerateDesc(&description, groups.data(),
                                                  static_cast<unsigned>(groups.size()));
    if (green.result != CUDA_SUCCESS) return green;
    green.result =
        cuda.cuGreenCtxCreate(&green.handle, description, 0, CU_GREEN_CTX_DEFAULT_STREAM);
    if (green.result != CUDA_SUCCESS) return green;
    green.result = cuda.cuCtxFromGreenCtx(&green.context, green.handle);
    return green;
}

}  // namespace gpu
