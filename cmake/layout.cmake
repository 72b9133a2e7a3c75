# The build tree has the layout of an installed prefix, so that build/bin/runvm finds its parts the same way:
# relative to its own path (bin, libexec/runvm, share/runvm, etc/runvm).
set(RUNVM_LIBEXEC ${CMAKE_INSTALL_LIBEXECDIR}/runvm)
set(RUNVM_SHARE ${CMAKE_INSTALL_DATADIR}/runvm)

# runvm_program(TARGET bin|libexec): where a program is built and installed.
function(runvm_program target place)
    if(place STREQUAL bin)
        set(folder bin)
    else()
        set(folder libexec/runvm)
    endif()
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/${folder})
    install(TARGETS ${target} RUNTIME DESTINATION ${folder})
endfunction()
