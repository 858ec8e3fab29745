#include "responder/answer.h"

namespace hnv::responder {

Answer answer(const Question& question, const std::optional<MacAddress>& owner) {
    if (question.sender == question.target) {
        return {Verdict::OwnAddress, {}};
    }
    if (!owner) {
        return {Verdict::Unknown, {}};
    }
    if (*owner == question.sender_mac) {
        return {Verdict::OwnAddress, {}};
    }
    return {Verdict::Reply, *owner};
}

Answer answer(const Question& question, std::uint32_t vsid,
              const policy::NeighbourTable& neighbours) {
    return answer(question, neighbours.find(vsid, question.target));
}

}  // namespace hnv::responder
