# Scripts as tests. Their modules (tests/requirements.txt) lie in build/venv, which tools/test makes;
# without it the tests that need one fail and say which. Not under the sanitizers: Python itself is
# not built with them.
if(RATION_SANITIZE OR CMAKE_CROSSCOMPILING)
    return()
endif()
find_program(RATION_PYTHON python3 PATHS ${PROJECT_SOURCE_DIR}/build/venv/bin NO_DEFAULT_PATH NO_CACHE)
if(NOT RATION_PYTHON)
    find_program(RATION_PYTHON python3 REQUIRED NO_CACHE)
endif()

# ration_python_test(name [TIMEOUT seconds]): NAME_test.py, given the build and the source folder.
function(ration_python_test name)
    cmake_parse_arguments(arg "" "TIMEOUT" "" ${ARGN})
    add_test(NAME ${name} COMMAND ${RATION_PYTHON} -B ${CMAKE_CURRENT_SOURCE_DIR}/${name}_test.py
        ${CMAKE_BINARY_DIR} ${PROJECT_SOURCE_DIR})
    set_tests_properties(${name} PROPERTIES LABELS integration
        TIMEOUT ${arg_TIMEOUT} SKIP_RETURN_CODE 77)
endfunction()

ration_python_test(parsl TIMEOUT 300)
ration_python_test(recipes TIMEOUT 120)
ration_python_test(quickstart TIMEOUT 120)
ration_python_test(cuda_confine TIMEOUT 240)
ration_python_test(cuda_green TIMEOUT 300)
ration_python_test(cuda_green_wait TIMEOUT 240)
ration_python_test(cuda_quota TIMEOUT 240)
ration_python_test(suites TIMEOUT 120)
ration_python_test(docs TIMEOUT 180)
ration_python_test(install TIMEOUT 1500)
ration_python_test(bench TIMEOUT 1500)
add_subdirectory(amd)
# Both build the release preset.
set_tests_properties(install bench PROPERTIES RESOURCE_LOCK release_build)
