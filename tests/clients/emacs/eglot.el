;;; eglot.el --- The whole way in eglot  -*- lexical-binding: t; -*-

(defun actions ()
  "The code actions at point."
  (let ((position (eglot--pos-to-lsp-position)))
    (append (jsonrpc-request (eglot-current-server) :textDocument/codeAction
                             (list :textDocument (eglot--TextDocumentIdentifier)
                                   :range (list :start position :end position)
                                   :context (list :diagnostics [])))
            nil)))

(defun choose (pattern)
  "Choose the code action whose title matches PATTERN, as `eglot-code-actions' asks for it."
  (cl-letf ((last-nonmenu-event ?\r) ; a key: after a mouse click it would be a menu
            ((symbol-function 'completing-read)
             (lambda (_prompt choices &rest _)
               (cl-find-if (lambda (title) (string-match-p pattern title))
                           (mapcar (lambda (choice) (if (consp choice) (car choice) choice))
                                   (all-completions "" choices))))))
    (eglot-code-actions (point) nil nil t)))

(defun hover ()
  "What eldoc says of the place at point."
  (let (said)
    (eglot-hover-eldoc-function (lambda (text &rest _) (setq said text)))
    (substring-no-properties (until "the hover" (lambda () said)))))

(find-file (getenv "AGENT"))
(run-hooks 'post-command-hook) ; as Emacs does after a command
(until "the server" #'eglot-current-server)
(record-program)
(go-to 50 "create")
(until "the actions of the run" (lambda () (cl-some (lambda (action) (string-match-p "rerun" (plist-get action :title))) (actions))))
(tell "actions" (mapcar (lambda (action) (plist-get action :title)) (actions)))
(tell "hover" (hover))

(let ((source (current-buffer)))
  (choose "edit the output")
  (until "the edit file" (lambda () (and (named "output\\.md") (get-buffer-window (named "output\\.md")))))
  (with-current-buffer (named "output\\.md")
    (tell "edit file" (buffer-substring-no-properties (point-min) (line-end-position)))
    (erase-buffer)
    (insert "Trains are late.")
    (save-buffer))
  (until "the question whether to rerun" (lambda () asked))
  (tell "asked" asked)
  (switch-to-buffer source))
(go-to 50 "create")
(tell "hover after" (progn (until "the run of the edit" (lambda () (string-match-p "Trains are late" (hover)))) (hover)))
(ao-graph)
(tell "graph" (text-of "\\*ao graph\\*"))
