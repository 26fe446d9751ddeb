# The ration command, piece by piece. It is not built for another machine.
if(NOT TARGET ration_cli)
    return()
endif()

add_executable(static_program static_program.c)
target_link_options(static_program PRIVATE -static)

ration_unit_test(cli_unit
    SOURCES cli_green_prediction_test.cpp cli_preload_test.cpp cli_program_test.cpp cli_shell_test.cpp
    LIBRARIES ration_tool)
target_compile_definitions(cli_unit PRIVATE STATIC_PROGRAM="$<TARGET_FILE:static_program>")
add_dependencies(cli_unit static_program)
