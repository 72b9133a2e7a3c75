# Cap'n Proto is linked statically everywhere: the agent and the shim are static programs, and the others start
# faster for it. The config package of Debian prefers the shared libraries, so name the archives.
add_library(runvm_capnp_runtime INTERFACE)
foreach(lib capnp-rpc capnp kj-async kj)
    find_library(RUNVM_LIB_${lib} NAMES lib${lib}.a REQUIRED)
    target_link_libraries(runvm_capnp_runtime INTERFACE ${RUNVM_LIB_${lib}})
endforeach()
find_package(Threads REQUIRED)
target_link_libraries(runvm_capnp_runtime INTERFACE Threads::Threads)

# runvm_capnp(TARGET schema...): a library of the C++ code that capnp generates, included as "protocol/x.capnp.h".
function(runvm_capnp target)
    set(out ${CMAKE_BINARY_DIR}/generated/protocol)
    file(MAKE_DIRECTORY ${out})
    set(sources)
    foreach(schema ${ARGN})
        add_custom_command(
            OUTPUT ${out}/${schema}.c++ ${out}/${schema}.h
            COMMAND capnp compile -oc++:${out} --src-prefix=${CMAKE_CURRENT_SOURCE_DIR}
                    -I /usr/include ${CMAKE_CURRENT_SOURCE_DIR}/${schema}
            DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${schema} ${ARGN}
            VERBATIM)
        list(APPEND sources ${out}/${schema}.c++)
    endforeach()
    add_library(${target} STATIC ${sources})
    target_include_directories(${target} SYSTEM PUBLIC ${CMAKE_BINARY_DIR}/generated)
    target_link_libraries(${target} PUBLIC runvm_capnp_runtime)
    if(RUNVM_SANITIZE)
        target_link_libraries(${target} PRIVATE runvm_options)
    endif()
endfunction()
