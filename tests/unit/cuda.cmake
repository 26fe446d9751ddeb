ration_unit_test(mps_pipe_test SOURCES mps_pipe_test.cpp LIBRARIES ration_cuda)
ration_unit_test(cuda_test
    SOURCES
        cuda_affinity_test.cpp
        cuda_choose_test.cpp
        cuda_devices_test.cpp
        cuda_memory_limit_test.cpp
        cuda_plan_test.cpp
        cuda_real_test.cpp
        cuda_share_test.cpp
        cuda_totals_test.cpp
        cuda_verify_test.cpp
        cuda_visible_test.cpp
    LIBRARIES ration_cuda)
ration_unit_test(green_test
    SOURCES
        green_driver.cpp
        green_homes_test.cpp
        green_layout_test.cpp
        green_residence_test.cpp
        green_rounding_test.cpp
    LIBRARIES ration_cuda)
ration_unit_test(quota_test
    SOURCES
        cuda_quota_account_test.cpp
        cuda_quota_blocks_test.cpp
        cuda_quota_charge_test.cpp
        cuda_quota_graphs_test.cpp
        cuda_quota_ledger_test.cpp
        cuda_quota_units_test.cpp
    LIBRARIES ration_cuda)
