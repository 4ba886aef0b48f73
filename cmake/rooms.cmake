# A room is a folder of src/ with one static library, maxgl_NAME. Its headers are reached as "NAME/header.h", and only by
# targets that link it: each room's include path is a folder that holds nothing but a link to that room. So an include
# against the arrows of docs/architecture.md does not compile.
#
#   maxgl_room(ops SOURCES conv3d.c … LINKS maxgl_compute)
function(maxgl_room NAME)
  cmake_parse_arguments(ROOM "" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  set(door ${PROJECT_BINARY_DIR}/rooms/${NAME})
  file(MAKE_DIRECTORY ${door})
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/src/${NAME} ${door}/${NAME} SYMBOLIC)
  add_library(maxgl_${NAME} STATIC ${ROOM_SOURCES})
  target_include_directories(maxgl_${NAME} PUBLIC ${door} ${PROJECT_SOURCE_DIR}/src/include)
  target_link_libraries(maxgl_${NAME} PUBLIC ${ROOM_LINKS} PRIVATE ${ROOM_PRIVATE_LINKS})
endfunction()
