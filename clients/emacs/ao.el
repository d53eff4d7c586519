;;; ao.el --- See, edit and rerun the LLM calls of Python programs  -*- lexical-binding: t; -*-

;; Version: 0.1.0
;; Package-Requires: ((emacs "28.1"))
;; Keywords: languages, tools
;; URL: https://github.com/ao-lsp/ao-lsp
;; SPDX-License-Identifier: Apache-2.0

;;; Commentary:

;; `ao-lsp' as a language server for Python files, in lsp-mode or in eglot:
;;
;;     (require 'ao)          ; lsp-mode takes it beside the server that you have
;;     (ao-set-up-eglot)      ; eglot, which has one server a buffer, takes this one
;;
;; `ao-record' runs the program of the buffer and records its calls, `ao-graph' draws them, `ao-runs' draws those of
;; an earlier run, `ao-rerun' runs the last one again.  What there is at a call is a code action, and in lsp-mode a
;; lens, too.

;;; Code:

(require 'cl-lib)
(require 'seq)
(require 'subr-x)

(defgroup ao nil
  "LLM calls of Python programs."
  :group 'tools)

(defcustom ao-server-command '("ao-lsp")
  "The language server: its program and the arguments of it."
  :type '(repeat string))

(defconst ao--modes '(python-mode python-ts-mode))

(defconst ao--opening
  '("ao.editOutput" "ao.editInput" "ao.graph" "ao.call" "ao.openPrompt" "ao.openOutput" "ao.openLog" "ao.openDiff"
    "ao.openCode")
  "The commands that answer with the path of a file to look at.")

(defun ao--get (table key)
  "The value of KEY, a string, in TABLE, an object of JSON.
It is as lsp-mode or eglot reads it: a hash table or a plist."
  (if (hash-table-p table)
      (gethash key table)
    (plist-get table (intern (concat ":" key)))))

(defun ao--open (answer)
  "Show the file that ANSWER, that of a command, names, unless it is on the screen."
  (let* ((path (and answer (ao--get answer "path")))
         (buffer (and path (find-buffer-visiting path))))
    (when (and path (not (and buffer (get-buffer-window buffer))))
      (pop-to-buffer (find-file-noselect path)))))

;;; The server in lsp-mode

(declare-function lsp-register-client "ext:lsp-mode")
(declare-function lsp-stdio-connection "ext:lsp-mode")
(declare-function lsp-find-workspace "ext:lsp-mode")
(declare-function lsp-request-async "ext:lsp-mode")
(declare-function make-lsp-client "ext:lsp-mode")
(defvar lsp--cur-workspace)

(defun ao--lsp-action (action)
  "Execute ACTION, a command of the server's, and show the file that it opens."
  (ao--execute (ao--get action "command") (elt (ao--get action "arguments") 0) #'ao--open))

(defun ao--register ()
  "Make the server known to lsp-mode."
  (let ((handlers (make-hash-table :test #'equal)))
    (dolist (command ao--opening)
      (puthash command #'ao--lsp-action handlers))
    (lsp-register-client
     (make-lsp-client
      :new-connection (lsp-stdio-connection (lambda () ao-server-command))
      :major-modes ao--modes
      :add-on? t
      :server-id 'ao
      :action-handlers handlers))))

(with-eval-after-load 'lsp-mode
  (ao--register))

;;; The server in eglot

(declare-function eglot-current-server "ext:eglot")
(declare-function eglot--uri-to-path "ext:eglot")
(declare-function jsonrpc-async-request "jsonrpc")
(defvar eglot-server-programs)

;;;###autoload
(defun ao-set-up-eglot ()
  "Have eglot start the server for Python buffers."
  (with-eval-after-load 'eglot
    (add-to-list 'eglot-server-programs (cons ao--modes (lambda (&optional _interactive) ao-server-command)))
    (unless (fboundp 'eglot-execute)
      (ao--show-documents-in-eglot))))

(defun ao--show-documents-in-eglot ()
  "Teach an eglot from before 1.10 to show a document when a server wants it."
  (cl-defmethod eglot-client-capabilities :around (_server)
    (let ((said (cl-call-next-method)))
      (plist-put said :window (append '(:showDocument (:support t)) (plist-get said :window)))))
  (cl-defmethod eglot-handle-request (_server (_method (eql 'window/showDocument)) &key uri &allow-other-keys)
    (pop-to-buffer (find-file-noselect (eglot--uri-to-path uri)))
    (list :success t)))

;;; Commands

(defun ao--execute (command argument then)
  "Have the server do COMMAND with ARGUMENT, and call THEN with its answer.
ARGUMENT is an object of JSON.  A command may ask the user something first."
  (let ((params (list :command command :arguments (vector argument)))
        (workspace (and (fboundp 'lsp-find-workspace) (lsp-find-workspace 'ao (buffer-file-name))))
        (server (and (fboundp 'eglot-current-server) (eglot-current-server)))
        (fail (lambda (fault) (message "%s: %s" command (ao--get fault "message")))))
    (cond
     (workspace
      (let ((lsp--cur-workspace workspace))
        (lsp-request-async "workspace/executeCommand" params then :error-handler fail :mode 'detached)))
     (server
      (jsonrpc-async-request server :workspace/executeCommand params :success-fn then :error-fn fail :timeout 600))
     (t (user-error "No ao-lsp here: start lsp-mode or eglot in a buffer of Python")))))

;;;###autoload
(defun ao-record ()
  "Run the program of this buffer, and record the LLM calls that it makes."
  (interactive)
  (ao--execute "ao.record" (list :file (buffer-file-name))
               (lambda (answer)
                 (let ((default-directory (file-name-as-directory (ao--get answer "cwd"))))
                   (compile (ao--get answer "command") t)))))

;;;###autoload
(defun ao-graph (&optional run)
  "Draw the calls of RUN and which output reached which input.
RUN is the last one by default."
  (interactive)
  (ao--execute "ao.graph" (list :run (or run "last") :format "text")
               (lambda (answer)
                 (with-current-buffer (get-buffer-create "*ao graph*")
                   (let ((inhibit-read-only t))
                     (erase-buffer)
                     (insert (ao--get answer "text")))
                   (goto-char (point-min))
                   (special-mode)
                   (setq truncate-lines t)
                   (display-buffer (current-buffer))))))

;;;###autoload
(defun ao-runs ()
  "Choose one of the recorded runs, and draw its calls."
  (interactive)
  (let ((buffer (current-buffer)))
    (ao--execute "ao.runs" (list :limit 100)
                 (lambda (answer)
                   (let* ((titles (seq-map (lambda (run) (cons (ao--title run) (ao--get run "id")))
                                           (ao--get answer "runs")))
                          (title (completing-read "Run: " (mapcar #'car titles) nil t)))
                     (with-current-buffer buffer
                       (ao-graph (cdr (assoc title titles)))))))))

(defun ao--title (run)
  "What RUN is called in a list."
  (format "%s  %s  %s calls  %s  %s"
          (substring (ao--get run "id") 0 8) (ao--get run "name") (ao--get run "calls")
          (ao--get run "status") (ao--get run "started")))

;;;###autoload
(defun ao-rerun ()
  "Run the last recorded run again: what no edit touches is replayed."
  (interactive)
  (ao--execute "ao.rerun" (list :run "last") #'ignore))

(provide 'ao)
;;; ao.el ends here
