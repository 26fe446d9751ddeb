# Finds cuda.h (13.0 or newer) and offers it as the target `cuda_headers`. Only the header: no CUDA
# library is ever linked. Looked for in RATION_CUDA_INCLUDE, the installed toolkit, and
# build/cuda-headers, where tools/quickstart unpacks NVIDIA's nvidia-cuda-runtime wheel.
# `cmake -P` on this file only looks: it succeeds if a header is found.
set(RATION_CUDA_MINIMUM 13000)

function(ration_cuda_version dir out)
    set(${out} 0 PARENT_SCOPE)
    if(EXISTS ${dir}/cuda.h)
        file(STRINGS ${dir}/cuda.h line REGEX "^#define CUDA_VERSION +[0-9]+" LIMIT_COUNT 1)
        if(line MATCHES "CUDA_VERSION +([0-9]+)")
            set(${out} ${CMAKE_MATCH_1} PARENT_SCOPE)
        endif()
    endif()
endfunction()

set(candidates ${RATION_CUDA_INCLUDE} $ENV{CUDA_HOME}/include /usr/local/cuda/include /usr/include
    ${CMAKE_CURRENT_LIST_DIR}/../../build/cuda-headers)
set(found "")
foreach(dir IN LISTS candidates)
    ration_cuda_version(${dir} version)
    if(NOT found AND version GREATER_EQUAL RATION_CUDA_MINIMUM)
        set(found ${dir})
        message(STATUS "cuda.h ${version}: ${dir}")
    endif()
endforeach()
if(NOT found)
    message(FATAL_ERROR "no cuda.h of version ${RATION_CUDA_MINIMUM} or newer: run tools/quickstart, "
        "which fetches the header, or set RATION_CUDA_INCLUDE to the folder that holds it")
endif()
if(CMAKE_SCRIPT_MODE_FILE)
    return()
endif()
add_library(cuda_headers INTERFACE)
target_include_directories(cuda_headers SYSTEM INTERFACE ${found})
