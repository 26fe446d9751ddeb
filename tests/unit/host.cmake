ration_unit_test(host_test SOURCES host_device_list_test.cpp host_environment_test.cpp
    host_generation_test.cpp host_open_sleep_test.cpp host_undisturbed_test.cpp LIBRARIES ration_host)
