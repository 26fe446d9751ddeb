# Policies: the language, matching, deciding, searching.
ration_unit_test(policy_unit
    SOURCES
        policy_amount_test.cpp
        policy_decide_test.cpp
        policy_fixtures_test.cpp
        policy_glob_test.cpp
        policy_green_test.cpp
        policy_hostile_test.cpp
        policy_inline_test.cpp
        policy_match_test.cpp
        policy_pool_test.cpp
        policy_read_test.cpp
        policy_rounding_test.cpp
        policy_schema_keys_test.cpp
        policy_script_test.cpp
        policy_search_test.cpp
        policy_subject_test.cpp
        policy_wording_test.cpp
    LIBRARIES ration_policy)
add_executable(policy_self policy_self.cpp)
set_target_properties(policy_self PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
target_link_libraries(policy_self PRIVATE ration_policy)
add_dependencies(policy_unit policy_self)
target_compile_definitions(policy_unit PRIVATE
    POLICY_SELF="$<TARGET_FILE:policy_self>"
    POLICY_FIXTURES="${CMAKE_CURRENT_SOURCE_DIR}/policy"
    POLICY_EXAMPLES="${PROJECT_SOURCE_DIR}/config"
    POLICY_SCHEMA="${PROJECT_SOURCE_DIR}/config/policy.schema.json")

# build/venv, made by tools/test, has jsonschema; without it the test fails, as all do that need a module.
find_program(policy_python python3 PATHS ${PROJECT_SOURCE_DIR}/build/venv/bin NO_DEFAULT_PATH NO_CACHE)
if(NOT policy_python)
    find_program(policy_python python3 NO_CACHE)
endif()
if(policy_python AND NOT CMAKE_CROSSCOMPILING)
    add_test(NAME policy_schema COMMAND ${policy_python} -B
        ${CMAKE_CURRENT_SOURCE_DIR}/policy_schema.py ${PROJECT_SOURCE_DIR}/config/policy.schema.json
        ${CMAKE_CURRENT_SOURCE_DIR}/policy ${PROJECT_SOURCE_DIR}/config/examples
        ${PROJECT_SOURCE_DIR}/config/parsl)
    set_tests_properties(policy_schema PROPERTIES LABELS fast TIMEOUT 60)
endif()

# By itself: it stands in front of libc's user database.
ration_unit_test(policy_names_test SOURCES policy_names_test.cpp
    LIBRARIES ration_policy ${CMAKE_DL_LIBS})
