# The stream layer before the simulated driver; what it shares with the conformance programs is not
# built when cross-compiling.
if(NOT CMAKE_CROSSCOMPILING)
    ration_unit_test(stream_test
        SOURCES
            stream_answers_test.cpp
            stream_call_test.cpp
            stream_lab.cpp
            stream_lock_test.cpp
            stream_order_test.cpp
        LIBRARIES ration_stream gpu_support -Wl,--no-as-needed sim_cuda)
endif()

# Its lists against cuda.h.
add_test(NAME StreamLayer.KnowsEveryEntryPoint
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/stream_list.py ${CMAKE_CXX_COMPILER}
        $<TARGET_PROPERTY:cuda_headers,INTERFACE_INCLUDE_DIRECTORIES> ${PROJECT_SOURCE_DIR}/shim/cuda/stream)
set_tests_properties(StreamLayer.KnowsEveryEntryPoint PROPERTIES LABELS fast TIMEOUT 60)
