//! Tokens that people give to their programs: made, listed by what they are for, taken away.
//!
//! They open the interface and nothing else: no browser is let in by one, so taking it away is enough.

use segenc_core::time::Millis;
use segenc_proto::connect::Secret;

use super::{AuthError, Known, Role, Tokens, hex};
use crate::clock;
use crate::store::{StoreError, TokenKind};

/// How the label of such a token begins; the server's own have others.
const LABEL: &str = "program: ";
/// Bytes of a token's hash that name it: enough to tell a few tokens apart.
const ID_BYTES: usize = 8;

/// A token as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProgramToken {
    /// The beginning of its hash.
    pub(crate) id: String,
    pub(crate) role: Role,
    /// What it is for.
    pub(crate) label: String,
    pub(crate) created: Millis,
}

/// Whether somebody has made it for a program.
pub(super) fn is_for_program(known: &Known) -> bool {
    match known.kind {
        TokenKind::Operator | TokenKind::Viewer => known.label.starts_with(LABEL),
        // Workers choose their names themselves.
        TokenKind::Join | TokenKind::Worker(_) => false,
    }
}

impl Tokens {
    /// Makes a token for a program.
    pub(crate) async fn issue_for_program(
        &self,
        role: Role,
        label: &str,
    ) -> Result<Secret, AuthError> {
        let kind = match role {
            Role::Operator => TokenKind::Operator,
            Role::Viewer => TokenKind::Viewer,
        };
        self.issue(kind, &format!("{LABEL}{label}")).await
    }

    /// All tokens of programs, the newest first.
    pub(crate) fn of_programs(&self) -> Vec<ProgramToken> {
        let known = self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut found: Vec<ProgramToken> = known
            .iter()
            .filter_map(|(hash, known)| {
                let role = match known.kind {
                    TokenKind::Operator => Role::Operator,
                    TokenKind::Viewer => Role::Viewer,
                    TokenKind::Join | TokenKind::Worker(_) => return None,
                };
                let label = known.label.strip_prefix(LABEL)?.to_owned();
                let id = hex(&hash[..ID_BYTES]);
                Some(ProgramToken { id, role, label, created: known.created })
            })
            .collect();
        found.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
        found
    }

    /// Makes a program's token worthless; `false` if there is none of this name.
    pub(crate) async fn revoke_of_program(&self, id: &str) -> Result<bool, StoreError> {
        let hash = {
            let known = self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            let mut found = known.iter().filter(|(_, known)| is_for_program(known));
            found.find(|(hash, _)| hex(&hash[..ID_BYTES]) == id).map(|(hash, _)| *hash)
        };
        let Some(hash) = hash else { return Ok(false) };
        self.store.revoke_token(&hex(&hash), clock::now()).await?;
        self.known.write().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&hash);
        Ok(true)
    }

    /// What a token opens that lets people in; those of programs do not.
    pub(crate) fn kind_for_people(&self, token: &str) -> Option<TokenKind> {
        self.look_up(token).filter(|known| !is_for_program(known)).map(|known| known.kind)
    }
}
