ration_unit_test(engine_test
    SOURCES
        engine_amd_ruling_test.cpp
        engine_amd_session_test.cpp
        engine_context_test.cpp
        engine_fakes.cpp
        engine_log_test.cpp
        engine_ruling_test.cpp
        engine_session_test.cpp
    LIBRARIES ration_engine_parts)

# A process of its own: the course that is active stays so.
ration_unit_test(engine_green_graph_test
    SOURCES engine_green_graph_test.cpp
    LIBRARIES ration_engine_parts)
