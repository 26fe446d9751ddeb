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
