ration_unit_test(mps_pipe_test SOURCES mps_pipe_test.cpp LIBRARIES ration_cuda)
ration_unit_test(cuda_test
    SOURCES
        cuda_affinity_test.cpp
        cuda_devices_test.cpp
        cuda_memory_limit_test.cpp
        cuda_plan_test.cpp
        cuda_share_test.cpp
        cuda_totals_test.cpp
        cuda_verify_test.cpp
        cuda_visible_test.cpp
    LIBRARIES ration_cuda)
