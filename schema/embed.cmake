# cmake -D OUTPUT=<file.cpp> -D SCHEMAS=<file;…> -P embed.cmake
#
# Writes the C++ source behind schemas_embedded.h. Each schema goes by the "name" in its text.
set(entries "")
foreach(schema IN LISTS SCHEMAS)
    file(READ ${schema} text)
    string(JSON name ERROR_VARIABLE error GET "${text}" name)
    if(error)
        message(FATAL_ERROR "${schema}: no database name: ${error}")
    endif()
    string(APPEND entries "    {\"${name}\", R\"ovsschema(${text})ovsschema\"},\n")
endforeach()

set(source [[
#include "schema/schemas_embedded.h"

#include <utility>

namespace hnv::schema {
namespace {

constexpr std::pair<std::string_view, std::string_view> kSchemas[] = {
@ENTRIES@};

}  // namespace

std::string_view text(std::string_view db) {
    for (const auto& [name, schema] : kSchemas) {
        if (name == db) {
            return schema;
        }
    }
    return {};
}

}  // namespace hnv::schema
]])
string(REPLACE "@ENTRIES@" "${entries}" source "${source}")
file(WRITE ${OUTPUT} "${source}")
