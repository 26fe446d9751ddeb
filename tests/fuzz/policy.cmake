set(sources "")
foreach(room IN ITEMS policy process)
    get_target_property(own ration_${room} SOURCES)
    get_target_property(folder ration_${room} SOURCE_DIR)
    list(TRANSFORM own PREPEND ${folder}/)
    list(APPEND sources ${own})
endforeach()
ration_fuzz_objects(policy_objects ${sources})

ration_fuzz_target(policy_read_fuzz OBJECTS ${policy_objects} RUNS 20000
    CORPUS ${PROJECT_SOURCE_DIR}/tests/unit/policy/good ${PROJECT_SOURCE_DIR}/tests/unit/policy/bad)
ration_fuzz_target(policy_glob_fuzz OBJECTS ${policy_objects} RUNS 200000
    CORPUS ${CMAKE_CURRENT_SOURCE_DIR}/glob)
ration_fuzz_target(policy_amount_fuzz OBJECTS ${policy_objects} RUNS 200000
    CORPUS ${CMAKE_CURRENT_SOURCE_DIR}/amount)
