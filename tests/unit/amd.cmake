ration_unit_test(amd_test
    SOURCES
        amd_cu_mask_test.cpp
        amd_devices_test.cpp
        amd_engine_masks_test.cpp
        amd_mask_variables_test.cpp
        amd_plan_test.cpp
        amd_program_memory_test.cpp
        amd_queues_test.cpp
        amd_quota_test.cpp
        amd_share_test.cpp
        amd_topology_test.cpp
        amd_visible_test.cpp
        amd_whole_call_test.cpp
    LIBRARIES ration_amd)
if(RATION_AMD_TESTS)
    ration_unit_test(amd_api_test SOURCES amd_api_test.cpp LIBRARIES ration_amd)
    target_include_directories(amd_api_test SYSTEM PRIVATE
        ${RATION_HIP_INCLUDE} ${RATION_HSA_INCLUDE})
endif()
